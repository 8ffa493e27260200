/* What the encoder knows of a class of rich values: asked of covet._shape once, kept in a table of bounded size. */
#ifndef COVET_SHAPE_H
#define COVET_SHAPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* As covet._shape.KINDS; SHAPE_NONE: the fallback is asked. */
enum { SHAPE_NONE = -1, SHAPE_OBJECT, SHAPE_DATETIME, SHAPE_DATE, SHAPE_TIME, SHAPE_UUID, SHAPE_ENUM, SHAPE_COUNT };

/* A member is read from its slot when the class has one (__slots__, a Struct), else as an attribute. */
typedef struct {
    PyObject *key;     /* bytes: "name": with its quotes and its colon */
    PyObject *name;    /* of the attribute */
    Py_ssize_t offset; /* of the slot in the instance, 0: none */
} Member;

typedef struct Shape {
    Py_ssize_t refs;     /* under the GIL; the table's, and one while an instance is being written */
    PyTypeObject *type;  /* strong: so no other class can come to have its address */
    int kind;
    PyObject *head;      /* bytes before the members: a Struct's tag */
    Py_ssize_t count;
    Member members[];
} Shape;

/* The address of a class gives a set of four places: asking about a class again and again because another one has taken
 * its place would cost more than all the rest. Bounded, because of classes that come and go. */
#define SHAPE_PLACES 256
#define SHAPE_WAYS 4

typedef struct {
    Shape *places[SHAPE_PLACES];
    PyObject *describe, *unset; /* of covet._shape, NULL until it is first needed */
} Shapes;

/* The shape of the class, a new reference; NULL with an exception. May run Python code: the first time for a class. */
Shape *shape_of(Shapes *s, PyTypeObject *type);
void shape_unref(Shape *shape);
int shapes_traverse(Shapes *s, visitproc visit, void *arg);
void shapes_clear(Shapes *s);

/* The text of a value of the kind, in quotes, of at most TIME_ROOM bytes; NULL: the fallback knows better, or, with an
 * exception, nobody. */
#define TIME_ROOM 48
int time_prepare(void); /* before the first time_write */
uint8_t *time_write(uint8_t *p, int kind, PyObject *value);
uint8_t *uuid_write(uint8_t *p, const Shape *shape, PyObject *value);

#endif
