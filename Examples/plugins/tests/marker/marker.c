// For tests: leaves a value for each message it has seen, under the key "seen:<role>:<message id>:<recipient>" (at sending:
// without recipient). Each time it appends the setting "version" to the value: one sees which version saw what, and how often.
#include "wsemail.h"

WS_PLUGIN("sending", "delivery")

static ws_answer ws_handle(ws_kind kind, ws_bytes event) {
    ws_buffer key = {0};
    ws_append(&key, WS("seen:"));
    ws_append(&key, ws_field(event, WS_ROLE));
    ws_append(&key, WS(":"));
    ws_append(&key, ws_field(event, WS_MESSAGE_ID));
    ws_append(&key, WS(":"));
    if (kind == WS_DELIVERY) ws_append(&key, ws_field(event, WS_RECIPIENT));
    ws_buffer value = {0};
    ws_bytes before;
    if (ws_kv_get(ws_octets(key), &before)) ws_append(&value, before);
    ws_append(&value, ws_setting(event, WS("version")));
    ws_kv_set(ws_octets(key), ws_octets(value));
    return WS_PROCEED;
}
