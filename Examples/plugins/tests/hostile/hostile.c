// For tests: does what a plug-in must not, as its setting "mode" says: loop, hog, trap, wild, huge, garbage, flood, spam or well.
#include "wsemail.h"

WS_PLUGIN("sending", "delivery", "extension", "resolver")

static ws_answer ws_hog(void) {
    for (;;) {
        volatile uint8_t *block = malloc(1 << 20);
        if (!block) __builtin_trap();
        for (size_t i = 0; i < 1 << 20; i += 4096) block[i] = 1;
    }
}

static ws_answer ws_spam(void) {
    for (int i = 0; i < 1000; i++) {
        ws_buffer frame = {0};
        ws_add(&frame, WS_SENDER, WS("service"));
        ws_add(&frame, WS_TO, WS("alice@capicom.test"));
        ws_add(&frame, WS_SUBJECT, WS("spam"));
        ws_add(&frame, WS_TEXT, WS("spam"));
        ws_send(frame);
    }
    return WS_PROCEED;
}

static ws_answer ws_handle(ws_kind kind, ws_bytes event) {
    ws_bytes mode = ws_setting(event, WS("mode"));
    (void)kind;
    if (ws_equal(mode, WS("loop"))) for (volatile int i = 0;; i++) {}
    if (ws_equal(mode, WS("hog"))) return ws_hog();
    if (ws_equal(mode, WS("trap"))) __builtin_trap();
    // Host calls with pointers that are none, then an answer of the same kind.
    if (ws_equal(mode, WS("wild"))) ws_log_raw(3, (const void *)0xFFFFFFF0u, 0x7FFFFFFFu);
    if (ws_equal(mode, WS("wild-key"))) ws_kv_set_raw((const void *)0xFFFFFFFFu, 0xFFFFFFFFu, (const void *)16, 16);
    if (ws_equal(mode, WS("wild-answer"))) return (uint64_t)0xFFFFFFF0u << 32 | 64;
    if (ws_equal(mode, WS("huge"))) return (uint64_t)16 << 32 | (1u << 30);
    if (ws_equal(mode, WS("garbage"))) return (uint64_t)(uintptr_t)event.at << 32 | 3;
    if (ws_equal(mode, WS("flood"))) for (;;) ws_log(3, WS("flood"));
    if (ws_equal(mode, WS("spam"))) return ws_spam();
    return WS_PROCEED;
}
