/* JSON numbers, as int.__repr__ and float.__repr__ write them. */
#include "bridge.h"

#include <math.h>

static const char pairs[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

static void write_u64(Out *out, uint64_t v)
{
    char buf[20], *p = buf + sizeof buf;
    while (v >= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * v, 2);
    }
    else
        *--p = (char)('0' + v);
    size_t n = (size_t)(buf + sizeof buf - p);
    memcpy(out->p, p, n);
    out->p += n;
}

int number_write_long(Out *out, PyObject *value)
{
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0) {
        if (v == -1 && PyErr_Occurred())
            return -1;
        if (out_need(out, 24) < 0)
            return -1;
        uint64_t u = (uint64_t)v;
        if (v < 0) {
            *out->p++ = '-';
            u = 0 - u;
        }
        write_u64(out, u);
        return 0;
    }
    /* int.__repr__, not str(): a subclass such as an IntEnum is written as its number. */
    PyObject *text = PyLong_Type.tp_repr(value);
    if (text == NULL)
        return -1;
    Py_ssize_t n;
    const char *p = PyUnicode_AsUTF8AndSize(text, &n);
    int r = p == NULL ? -1 : out_put(out, p, (size_t)n);
    Py_DECREF(text);
    return r;
}

int number_write_float(Out *out, double v)
{
    /* Whole numbers below 2**53: repr writes all of their digits and ".0". */
    if (v == floor(v) && fabs(v) < 9007199254740992.0) {
        if (out_need(out, 24) < 0)
            return -1;
        if (signbit(v))
            *out->p++ = '-';
        write_u64(out, (uint64_t)fabs(v));
        *out->p++ = '.';
        *out->p++ = '0';
        return 0;
    }
    char *text = PyOS_double_to_string(v, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL)
        return -1;
    int r = out_put(out, text, strlen(text));
    PyMem_Free(text);
    return r;
}
