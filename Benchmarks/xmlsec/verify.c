/* The work of xmlbench's verification done by libxmlsec1: parse the envelope, find its ids and its signature, verify.
 * The key is loaded once.
 *
 * verify ENVELOPE KEY.pem COUNT   prints nanoseconds of CPU of one round */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

static void add_ids(xmlDocPtr doc, xmlNodePtr node) {
    for (; node; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) continue;
        for (xmlAttrPtr attr = node->properties; attr; attr = attr->next)
            if (!strcmp((const char *)attr->name, "Id") && attr->children && attr->children->content)
                xmlAddID(NULL, doc, attr->children->content, attr);
        add_ids(doc, node->children);
    }
}

static int verify(const char *bytes, int length, xmlSecKeyPtr key) {
    xmlDocPtr doc = xmlReadMemory(bytes, length, NULL, NULL, XML_PARSE_NONET);
    if (!doc) return -1;
    add_ids(doc, xmlDocGetRootElement(doc));
    xmlNodePtr node = xmlSecFindNode(xmlDocGetRootElement(doc), xmlSecNodeSignature, xmlSecDSigNs);
    xmlSecDSigCtxPtr ctx = xmlSecDSigCtxCreate(NULL);
    ctx->signKey = xmlSecKeyDuplicate(key);
    ctx->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    int ok = node && xmlSecDSigCtxVerify(ctx, node) == 0 && ctx->status == xmlSecDSigStatusSucceeded;
    xmlSecDSigCtxDestroy(ctx);
    xmlFreeDoc(doc);
    return ok ? 0 : -1;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    xmlInitParser();
    if (xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0) return 3;
    static char bytes[1 << 20];
    FILE *file = fopen(argv[1], "rb");
    if (!file) return 4;
    int length = (int)fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    xmlSecKeyPtr key = xmlSecCryptoAppKeyLoad(argv[2], xmlSecKeyDataFormatPem, NULL, NULL, NULL);
    if (!key) return 5;
    int count = atoi(argv[3]);
    for (int i = 0; i < 50; i++)
        if (verify(bytes, length, key)) return 6;
    double start = now();
    for (int i = 0; i < count; i++)
        if (verify(bytes, length, key)) return 6;
    printf("%.0f\n", (now() - start) / count);
    return 0;
}
