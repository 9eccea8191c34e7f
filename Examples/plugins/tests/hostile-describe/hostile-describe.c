// For tests: traps as soon as it is asked what it is. Written without the SDK, which has a description of its own.
#include <stddef.h>
#include <stdint.h>

__attribute__((export_name("describe"), used)) uint64_t describe(void) { __builtin_trap(); }

__attribute__((export_name("handle"), used)) uint64_t handle(int32_t kind, const uint8_t *at, size_t count) {
    (void)kind, (void)at, (void)count;
    return 0;
}
