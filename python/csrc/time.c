/* Points in time and UUIDs as JSON strings: RFC 3339, RFC 9562. */
#include "shape.h"

#include <datetime.h>
#include <string.h>

int time_prepare(void)
{
    /* Makes the static of datetime.h: the capsule that it points to never goes, and is the same every time. */
    PyDateTime_IMPORT;
    return PyDateTimeAPI == NULL ? -1 : 0;
}

static inline uint8_t *put_two(uint8_t *p, int v)
{
    p[0] = (uint8_t)('0' + v / 10);
    p[1] = (uint8_t)('0' + v % 10);
    return p + 2;
}

static uint8_t *put_date(uint8_t *p, PyObject *v)
{
    int year = PyDateTime_GET_YEAR(v);
    p = put_two(put_two(p, year / 100), year % 100);
    *p++ = '-';
    p = put_two(p, PyDateTime_GET_MONTH(v));
    *p++ = '-';
    return put_two(p, PyDateTime_GET_DAY(v));
}

static uint8_t *put_time(uint8_t *p, int hour, int minute, int second, int micro)
{
    p = put_two(p, hour);
    *p++ = ':';
    p = put_two(p, minute);
    *p++ = ':';
    p = put_two(p, second);
    if (micro == 0)
        return p;
    *p++ = '.';
    return put_two(put_two(put_two(p, micro / 10000), micro / 100 % 100), micro % 100);
}

/* The offset from UTC; NULL for what RFC 3339 section 5.6 cannot say (seconds), which is the fallback's. */
static uint8_t *put_zone(uint8_t *p, PyObject *zone, PyObject *value)
{
    if (zone == Py_None)
        return p;
    if (zone != PyDateTimeAPI->TimeZone_UTC) {
        PyObject *offset = PyObject_CallMethod(zone, "utcoffset", "O", value);
        if (offset == NULL)
            return NULL;
        if (!PyDelta_Check(offset) || PyDateTime_DELTA_GET_MICROSECONDS(offset) != 0 || PyDateTime_DELTA_GET_SECONDS(offset) % 60 != 0) {
            Py_DECREF(offset);
            return NULL;
        }
        int minutes = PyDateTime_DELTA_GET_DAYS(offset) * 1440 + PyDateTime_DELTA_GET_SECONDS(offset) / 60;
        Py_DECREF(offset);
        if (minutes != 0) {
            *p++ = minutes < 0 ? '-' : '+';
            minutes = minutes < 0 ? -minutes : minutes;
            p = put_two(p, minutes / 60);
            *p++ = ':';
            return put_two(p, minutes % 60);
        }
    }
    *p++ = 'Z';
    return p;
}

uint8_t *time_write(uint8_t *p, int kind, PyObject *v)
{
    *p++ = '"';
    switch (kind) {
    case SHAPE_DATE:
        p = put_date(p, v);
        break;
    case SHAPE_TIME:
        if (PyDateTime_TIME_GET_TZINFO(v) != Py_None)
            return NULL; /* rare, and what it means depends on a date */
        p = put_time(p, PyDateTime_TIME_GET_HOUR(v), PyDateTime_TIME_GET_MINUTE(v), PyDateTime_TIME_GET_SECOND(v),
                     PyDateTime_TIME_GET_MICROSECOND(v));
        break;
    default:
        p = put_date(p, v);
        *p++ = 'T';
        p = put_time(p, PyDateTime_DATE_GET_HOUR(v), PyDateTime_DATE_GET_MINUTE(v), PyDateTime_DATE_GET_SECOND(v),
                     PyDateTime_DATE_GET_MICROSECOND(v));
        p = put_zone(p, PyDateTime_DATE_GET_TZINFO(v), v);
        if (p == NULL)
            return NULL;
    }
    *p++ = '"';
    return p;
}

/* The 128 bits of a UUID's int, big-endian. */
static int as_bytes(PyObject *v, uint8_t bytes[16])
{
#if PY_VERSION_HEX >= 0x030D0000
    Py_ssize_t n = PyLong_AsNativeBytes(
        v, bytes, 16, Py_ASNATIVEBYTES_BIG_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER | Py_ASNATIVEBYTES_REJECT_NEGATIVE);
    return n >= 0 && n <= 16 ? 0 : -1; /* larger: how many bytes it would take */
#else
    return _PyLong_AsByteArray((PyLongObject *)v, bytes, 16, 0, 0);
#endif
}

uint8_t *uuid_write(uint8_t *p, const Shape *shape, PyObject *v)
{
    static const char digits[] = "0123456789abcdef";
    Py_ssize_t offset = shape->members[0].offset;
    PyObject *value = offset > 0 ? *(PyObject **)(void *)((char *)v + offset) : NULL;
    uint8_t bytes[16];
    if (value == NULL || !PyLong_CheckExact(value))
        return NULL;
    if (as_bytes(value, bytes) < 0) {
        PyErr_Clear();
        return NULL;
    }
    *p++ = '"';
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = (uint8_t)digits[bytes[i] >> 4];
        *p++ = (uint8_t)digits[bytes[i] & 15];
    }
    *p++ = '"';
    return p;
}
