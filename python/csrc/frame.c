/* Reading REQUEST frames. After frame_check_request every accessor may trust the frame. */
#include "bridge.h"

static bool span_ok(const uint8_t *f, uint32_t at, uint32_t n)
{
    uint32_t off = get32(f + at), len = get32(f + at + 4);
    return off <= n && len <= n - off;
}

bool frame_check_request(const uint8_t *f, uint32_t n)
{
    static const uint8_t spans[] = {COVET_REQUEST_METHOD_NAME, COVET_REQUEST_TARGET,    COVET_REQUEST_PATH,
                                    COVET_REQUEST_QUERY,       COVET_REQUEST_AUTHORITY, COVET_REQUEST_BODY};
    if (n < COVET_REQUEST_SIZE)
        return false;
    for (size_t i = 0; i < sizeof spans; i++)
        if (!span_ok(f, spans[i], n))
            return false;
    uint32_t fields = get16(f + COVET_REQUEST_FIELD_COUNT), params = get16(f + COVET_REQUEST_PARAM_COUNT);
    uint32_t at = get32(f + COVET_REQUEST_FIELDS);
    if (at > n || fields > COVET_MAX_FIELDS || fields * COVET_FIELD_ENTRY > n - at)
        return false;
    for (uint32_t i = 0; i < fields; i++)
        if (!span_ok(f, at + i * COVET_FIELD_ENTRY, n) || !span_ok(f, at + i * COVET_FIELD_ENTRY + 8, n))
            return false;
    at = get32(f + COVET_REQUEST_PARAMS);
    if (at > n || params * COVET_PARAM_ENTRY > n - at)
        return false;
    for (uint32_t i = 0; i < params; i++)
        if (!span_ok(f, at + i * COVET_PARAM_ENTRY, n))
            return false;
    for (uint32_t i = 0; i < COVET_HOT_COUNT; i++) {
        uint16_t hot = get16(f + COVET_REQUEST_HOT + 2 * i);
        if (hot != COVET_NO_FIELD && hot >= fields)
            return false;
    }
    return f[COVET_REQUEST_METHOD] < COVET_METHOD_COUNT;
}

int frame_hot_index(const char *name, size_t n)
{
    static const char *const names[] = COVET_HOT_NAMES;
    for (int i = 0; i < COVET_HOT_COUNT; i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return i;
    return -1;
}

/* Field names are case-insensitive (RFC 9110 section 5.1) and arrive as sent; name is in lower case. */
static bool name_is(Bytes b, const char *name, size_t n)
{
    if (b.n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = b.p[i];
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (c != (uint8_t)name[i])
            return false;
    }
    return true;
}

bool frame_find_field(const uint8_t *f, const char *name, size_t n, int hot, Bytes *value)
{
    if (hot >= 0) {
        uint16_t i = get16(f + COVET_REQUEST_HOT + 2 * hot);
        if (i == COVET_NO_FIELD)
            return false;
        *value = frame_field(f, i, true);
        return true;
    }
    uint32_t count = get16(f + COVET_REQUEST_FIELD_COUNT);
    for (uint32_t i = 0; i < count; i++)
        if (name_is(frame_field(f, i, false), name, n)) {
            *value = frame_field(f, i, true);
            return true;
        }
    return false;
}
