/* Request text to Python values: percent-decoding, the query, cookies, scalars. */
#include "bridge.h"

#include <math.h>

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX (and + where plus is set); an incomplete escape stays as it is (WHATWG URL, "percent-decode"). */
static PyObject *decode(const uint8_t *p, size_t n, bool plus)
{
    size_t i = 0;
    while (i < n && p[i] != '%' && !(plus && p[i] == '+'))
        i++;
    if (i == n)
        return PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, "replace");
    char small[256], *out = n <= sizeof small ? small : PyMem_Malloc(n);
    if (out == NULL)
        return PyErr_NoMemory();
    memcpy(out, p, i);
    size_t o = i;
    for (; i < n; i++) {
        uint8_t c = p[i];
        if (c == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
            c = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
            i += 2;
        }
        else if (plus && c == '+')
            c = ' ';
        out[o++] = (char)c;
    }
    PyObject *text = PyUnicode_DecodeUTF8(out, (Py_ssize_t)o, "replace");
    if (out != small)
        PyMem_Free(out);
    return text;
}

PyObject *text_decode_query(const uint8_t *p, size_t n) { return decode(p, n, true); }

/* The canonical path is decoded but for %2F and %25, and valid UTF-8: see message.Request.Path. */
PyObject *text_decode_path(const uint8_t *p, size_t n, bool escaped)
{
    if (escaped)
        return decode(p, n, false);
    return PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, "replace");
}

bool text_query_next(const uint8_t **p, const uint8_t *end, const uint8_t **name, size_t *name_len, const uint8_t **value, size_t *value_len)
{
    while (*p < end && **p == '&')
        (*p)++;
    if (*p >= end)
        return false;
    const uint8_t *start = *p, *stop = memchr(start, '&', (size_t)(end - start));
    if (stop == NULL)
        stop = end;
    const uint8_t *eq = memchr(start, '=', (size_t)(stop - start));
    *name = start;
    *name_len = (size_t)((eq ? eq : stop) - start);
    *value = eq ? eq + 1 : stop;
    *value_len = (size_t)(stop - *value);
    *p = stop;
    return true;
}

bool text_query_name_is(const uint8_t *p, size_t n, const char *key, size_t key_len)
{
    if (n < key_len)
        return false;
    size_t k = 0;
    for (size_t i = 0; i < n; i++, k++) {
        uint8_t c = p[i];
        if (c == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
            c = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
            i += 2;
        }
        else if (c == '+')
            c = ' ';
        if (k >= key_len || c != (uint8_t)key[k])
            return false;
    }
    return k == key_len;
}

bool text_cookie_next(const uint8_t **p, const uint8_t *end, const uint8_t **name, size_t *name_len, const uint8_t **value, size_t *value_len)
{
    /* cookie-pair *( ";" SP cookie-pair ), RFC 6265 section 4.2.1; white space around is tolerated. */
    while (*p < end) {
        const uint8_t *start = *p, *stop = memchr(start, ';', (size_t)(end - start));
        *p = stop ? stop + 1 : end;
        if (stop == NULL)
            stop = end;
        while (start < stop && (*start == ' ' || *start == '\t'))
            start++;
        while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        const uint8_t *eq = memchr(start, '=', (size_t)(stop - start));
        if (eq == NULL)
            continue;
        *name = start;
        *name_len = (size_t)(eq - start);
        while (*name_len > 0 && (start[*name_len - 1] == ' ' || start[*name_len - 1] == '\t'))
            (*name_len)--;
        eq++;
        while (eq < stop && (*eq == ' ' || *eq == '\t'))
            eq++;
        /* DQUOTEs may surround the value, section 4.1.1. */
        if (stop - eq >= 2 && *eq == '"' && stop[-1] == '"')
            eq++, stop--;
        *value = eq;
        *value_len = (size_t)(stop - eq);
        return true;
    }
    return false;
}

PyObject *text_to_int(const char *p, size_t n)
{
    size_t i = n > 0 && (p[0] == '-' || p[0] == '+');
    size_t digits = n - i;
    /* More digits than this take quadratic time to convert: the limit that int() has by default. */
    if (digits == 0 || digits > 4300)
        return NULL;
    for (size_t k = i; k < n; k++)
        if (p[k] < '0' || p[k] > '9')
            return NULL;
    if (digits <= 18) {
        long long v = 0;
        for (size_t k = i; k < n; k++)
            v = v * 10 + (p[k] - '0');
        return PyLong_FromLongLong(p[0] == '-' ? -v : v);
    }
    char buf[4302];
    memcpy(buf, p, n);
    buf[n] = 0;
    PyObject *v = PyLong_FromString(buf, NULL, 10);
    if (v == NULL && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Clear(); /* the application has set a lower limit: sys.set_int_max_str_digits */
    return v;
}

static size_t skip_digits(const char *p, size_t n, size_t i)
{
    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    return i;
}

PyObject *text_to_float(const char *p, size_t n)
{
    size_t i = n > 0 && (p[0] == '-' || p[0] == '+');
    size_t whole = skip_digits(p, n, i), some = whole - i;
    i = whole;
    if (i < n && p[i] == '.') {
        size_t after = skip_digits(p, n, i + 1);
        some += after - (i + 1);
        i = after;
    }
    if (some == 0)
        return NULL;
    if (i < n && (p[i] | 0x20) == 'e') {
        i++;
        if (i < n && (p[i] == '-' || p[i] == '+'))
            i++;
        size_t after = skip_digits(p, n, i);
        if (after == i)
            return NULL;
        i = after;
    }
    char buf[512];
    if (i != n || n >= sizeof buf)
        return NULL;
    memcpy(buf, p, n);
    buf[n] = 0;
    double v = PyOS_string_to_double(buf, NULL, NULL);
    if (v == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return NULL;
    }
    return isfinite(v) ? PyFloat_FromDouble(v) : NULL;
}

PyObject *text_to_bool(const char *p, size_t n)
{
    static const struct { const char *text; bool value; } words[] = {
        {"true", true}, {"1", true}, {"yes", true}, {"on", true}, {"false", false}, {"0", false}, {"no", false}, {"off", false},
    };
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t i = 0;
        while (i < n && words[w].text[i] != 0) {
            char c = p[i];
            if (c >= 'A' && c <= 'Z')
                c |= 0x20;
            if (c != words[w].text[i])
                break;
            i++;
        }
        if (i == n && words[w].text[i] == 0)
            return Py_NewRef(words[w].value ? Py_True : Py_False);
    }
    return NULL;
}
