/* JSON integers, as int.__repr__ writes them. */
#include "bridge.h"

static const char pairs[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

static inline uint8_t *put_pair(uint8_t *p, uint32_t v)
{
    memcpy(p, pairs + 2 * v, 2);
    return p + 2;
}

/* v < 10**4, all four digits. */
static inline uint8_t *put_four(uint8_t *p, uint32_t v) { return put_pair(put_pair(p, v / 100), v % 100); }

/* v < 10**8, all eight digits. */
static inline uint8_t *put_eight(uint8_t *p, uint32_t v) { return put_four(put_four(p, v / 10000), v % 10000); }

/* v < 10**8, without leading zeros: forwards, as the number of digits decides where the next value stands. */
static inline uint8_t *put_few(uint8_t *p, uint32_t v)
{
    if (v < 100) {
        /* Shifted, not branched: one digit or two cannot be foretold. */
        uint32_t one = v < 10;
        memcpy(p, pairs + 2 * v + one, 2);
        return p + 2 - one;
    }
    if (v < 10000) {
        uint32_t high = v / 100, one = high < 10;
        memcpy(p, pairs + 2 * high + one, 2);
        return put_pair(p + 2 - one, v % 100);
    }
    uint32_t high = v / 10000;
    if (high < 100) {
        uint32_t one = high < 10;
        memcpy(p, pairs + 2 * high + one, 2);
        return put_four(p + 2 - one, v % 10000);
    }
    uint32_t top = high / 100, one = top < 10;
    memcpy(p, pairs + 2 * top + one, 2);
    return put_four(put_pair(p + 2 - one, high % 100), v % 10000);
}

uint8_t *number_write(uint8_t *p, uint64_t v)
{
    if (v < 100000000)
        return put_few(p, (uint32_t)v);
    uint64_t high = v / 100000000;
    uint32_t low = (uint32_t)(v % 100000000);
    if (high < 100000000)
        return put_eight(put_few(p, (uint32_t)high), low);
    p = put_few(p, (uint32_t)(high / 100000000));
    return put_eight(put_eight(p, (uint32_t)(high % 100000000)), low);
}

/* Integers of more than 64 bits. int.__repr__, not str(): a subclass such as an IntEnum is written as its number. */
static uint8_t *write_great(Out *out, uint8_t *p, PyObject *value)
{
    PyObject *text = PyLong_Type.tp_repr(value);
    if (text == NULL)
        return NULL;
    size_t n = (size_t)PyUnicode_GET_LENGTH(text); /* ASCII */
    p = out_room(out, p, n + OUT_SLACK);
    if (p != NULL) {
        memcpy(p, PyUnicode_1BYTE_DATA(text), n);
        p += n;
    }
    Py_DECREF(text);
    return p;
}

/* The value of an int of one digit of CPython's (30 bits): nearly all are. */
static inline bool compact(PyObject *value, int64_t *v)
{
#if PY_VERSION_HEX >= 0x030C0000
    if (!PyUnstable_Long_IsCompact((PyLongObject *)value))
        return false;
    *v = PyUnstable_Long_CompactValue((PyLongObject *)value);
#else
    Py_ssize_t size = Py_SIZE(value);
    if (size < -1 || size > 1)
        return false;
    *v = size == 0 ? 0 : size * (int64_t)((PyLongObject *)value)->ob_digit[0];
#endif
    return true;
}

uint8_t *long_write(Out *out, uint8_t *p, PyObject *value)
{
    int64_t v;
    if (!compact(value, &v)) {
        int overflow;
        long long wide = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow != 0)
            return write_great(out, p, value);
        if (wide == -1 && PyErr_Occurred())
            return NULL;
        v = wide;
    }
    p = out_room(out, p, 1 + NUMBER_ROOM + OUT_SLACK);
    if (p == NULL)
        return NULL;
    uint64_t sign = (uint64_t)v >> 63;
    *p = '-';
    return number_write(p + sign, sign ? 0 - (uint64_t)v : (uint64_t)v);
}
