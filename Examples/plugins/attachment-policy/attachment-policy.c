// Keeps attachments out that the administrator does not want: too large, of certain types, or with certain names.
//
//     max-bytes      octets of one attachment, 0: any       oversize      refuse | drop
//     refuse-types   media types, such as application/x-*   refuse-names  file names, such as *.exe
//     drop-types     those that are only taken out          drop-names
//
// Lists have commas; * stands for anything. A refusal tells the sender which file and why; what is dropped, the Postmark tells.
#include "wsemail.h"

WS_PLUGIN("sending")

static bool is_listed(ws_bytes text, ws_bytes list) {
    ws_bytes pattern;
    while (ws_next_part(&list, &pattern)) if (ws_is_like(text, pattern)) return true;
    return false;
}

// "application/x-sh; charset=utf-8" is the type application/x-sh.
static ws_bytes without_parameters(ws_bytes type) {
    for (size_t i = 0; i < type.count; i++) if (type.at[i] == ';') type.count = i;
    return ws_trim(type);
}

static ws_answer refuse(ws_bytes name, const char *why) {
    ws_buffer reason = {0};
    if (name.count > 200) name.count = 200;
    while (name.count && (name.at[name.count - 1] & 0x80)) name.count--;  // not half a character
    ws_append(&reason, WS("attachment \""));
    ws_append(&reason, name);
    ws_append(&reason, WS("\": "));
    ws_append(&reason, (ws_bytes){(const uint8_t *)why, strlen(why)});
    return ws_refuse(ws_octets(reason), false);
}

static ws_answer ws_handle(ws_kind kind, ws_bytes event) {
    if (kind != WS_SENDING) return WS_PROCEED;
    uint64_t limit = ws_number(ws_trim(ws_setting(event, WS("max-bytes"))), 0);
    bool drops_oversize = ws_equal(ws_trim(ws_setting(event, WS("oversize"))), WS("drop"));
    ws_bytes refused_types = ws_setting(event, WS("refuse-types")), refused_names = ws_setting(event, WS("refuse-names"));
    ws_bytes dropped_types = ws_setting(event, WS("drop-types")), dropped_names = ws_setting(event, WS("drop-names"));

    ws_buffer verdict = {0};
    ws_bytes rest = event, attachment;
    uint8_t tag;
    while (ws_next(&rest, &tag, &attachment)) {
        if (tag != WS_ATTACHMENT) continue;
        ws_bytes name = ws_trim(ws_field(attachment, WS_ATTACHMENT_NAME));
        ws_bytes type = without_parameters(ws_field(attachment, WS_MEDIA_TYPE));
        bool is_oversize = limit && ws_number(ws_field(attachment, WS_SIZE), UINT64_MAX) > limit;
        if (is_listed(type, refused_types)) return refuse(name, "files of this type are not accepted here");
        if (is_listed(name, refused_names)) return refuse(name, "files with such names are not accepted here");
        if (is_oversize && !drops_oversize) return refuse(name, "the file is too large");
        if (!is_oversize && !is_listed(type, dropped_types) && !is_listed(name, dropped_names)) continue;
        if (!verdict.count) ws_add(&verdict, WS_VERDICT, WS("drop"));
        ws_add(&verdict, WS_DROP, ws_field(attachment, WS_SHA256));
    }
    return verdict.count ? ws_give(verdict) : WS_PROCEED;
}
