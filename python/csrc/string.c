/* JSON strings: UTF-8, escaping only what RFC 8259 section 7 demands: the quotation mark, the backslash, controls. */
#include "bridge.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char *const short_escapes[32] = {[8] = "\\b", [9] = "\\t", [10] = "\\n", [12] = "\\f", [13] = "\\r"};

/* Writes one escaped ASCII byte; the caller has made room for 6. */
static inline uint8_t *escape(uint8_t *o, uint8_t c)
{
    static const char digits[] = "0123456789abcdef";
    *o++ = '\\';
    if (c == '"' || c == '\\')
        *o++ = c;
    else if (short_escapes[c] != NULL)
        *o++ = (uint8_t)short_escapes[c][1];
    else {
        memcpy(o, "u00", 3);
        o[3] = (uint8_t)digits[c >> 4];
        o[4] = (uint8_t)digits[c & 15];
        o += 5;
    }
    return o;
}

static inline bool special(uint8_t c) { return c < 0x20 || c == '"' || c == '\\'; }

/* Copies ASCII text; room for n bytes and what escapes add is made as it goes. */
static int write_ascii(Out *out, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    if (out_need(out, n + 2) < 0)
        return -1;
    while (p < end) {
#ifdef __SSE2__
        /* Sixteen at a time: stored first, judged after; what an escape invalidates is overwritten. */
        while (end - p >= 16 && out->end - out->p >= 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
            _mm_storeu_si128((__m128i *)(void *)out->p, v);
            __m128i bad = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
                _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
            int mask = _mm_movemask_epi8(bad);
            if (mask != 0) {
                int clean = __builtin_ctz((unsigned)mask);
                p += clean;
                out->p += clean;
                break;
            }
            p += 16;
            out->p += 16;
        }
#endif
        /* Up to the next special byte, or a few bytes of a tail. */
        size_t run = 0, left = (size_t)(end - p);
        while (run < left && run < 16 && !special(p[run]))
            run++;
        if (out_need(out, left + 8) < 0)
            return -1;
        memcpy(out->p, p, run);
        out->p += run;
        p += run;
        if (p < end && special(*p))
            out->p = escape(out->p, *p++);
    }
    return 0;
}

int string_write(Out *out, PyObject *value)
{
    size_t n = (size_t)PyUnicode_GET_LENGTH(value);
    if (PyUnicode_IS_ASCII(value)) {
        if (out_byte(out, '"') < 0 || write_ascii(out, PyUnicode_1BYTE_DATA(value), n) < 0)
            return -1;
        return out_byte(out, '"');
    }
    int kind = PyUnicode_KIND(value);
    const void *data = PyUnicode_DATA(value);
    if (out_byte(out, '"') < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if ((i & 63) == 0 && out_need(out, (n - i < 64 ? n - i : 64) * 6 + 2) < 0)
            return -1;
        Py_UCS4 c = PyUnicode_READ(kind, data, (Py_ssize_t)i);
        uint8_t *o = out->p;
        if (c < 0x80) {
            if (special((uint8_t)c))
                o = escape(o, (uint8_t)c);
            else
                *o++ = (uint8_t)c;
        }
        else if (c < 0x800) {
            *o++ = (uint8_t)(0xc0 | c >> 6);
            *o++ = (uint8_t)(0x80 | (c & 0x3f));
        }
        else if (c < 0x10000) {
            if (c >= 0xd800 && c <= 0xdfff) {
                PyErr_SetString(PyExc_ValueError, "a lone surrogate has no UTF-8");
                return -1;
            }
            *o++ = (uint8_t)(0xe0 | c >> 12);
            *o++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            *o++ = (uint8_t)(0x80 | (c & 0x3f));
        }
        else {
            *o++ = (uint8_t)(0xf0 | c >> 18);
            *o++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
            *o++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
            *o++ = (uint8_t)(0x80 | (c & 0x3f));
        }
        out->p = o;
    }
    return out_byte(out, '"');
}
