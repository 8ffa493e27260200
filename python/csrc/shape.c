#include "shape.h"

#include <stddef.h>
#include <string.h>
#include <structmember.h>

#ifndef Py_T_OBJECT_EX
#define Py_T_OBJECT_EX T_OBJECT_EX
#endif

void shape_unref(Shape *shape)
{
    if (shape == NULL || --shape->refs > 0)
        return;
    Py_XDECREF(shape->type);
    Py_XDECREF(shape->head);
    for (Py_ssize_t i = 0; i < shape->count; i++) {
        Py_XDECREF(shape->members[i].key);
        Py_XDECREF(shape->members[i].name);
    }
    PyMem_Free(shape);
}

/* Where instances keep the attribute, if it is a slot that holds an object: no code runs when it is read. */
static Py_ssize_t slot_of(PyTypeObject *type, PyObject *name)
{
    PyObject *d = PyObject_GetAttr((PyObject *)type, name);
    Py_ssize_t offset = 0;
    if (d == NULL)
        PyErr_Clear();
    else if (Py_IS_TYPE(d, &PyMemberDescr_Type)) {
        PyMemberDef *m = ((PyMemberDescrObject *)d)->d_member;
        if (m->type == Py_T_OBJECT_EX && m->offset > 0 && PyType_IsSubtype(type, ((PyMemberDescrObject *)d)->d_common.d_type))
            offset = m->offset;
    }
    Py_XDECREF(d);
    return offset;
}

static Shape *shape_new(PyTypeObject *type, PyObject *said)
{
    PyObject *head = NULL, *members = NULL;
    int kind = SHAPE_NONE;
    if (said != Py_None) {
        if (!PyArg_ParseTuple(said, "iSO!", &kind, &head, &PyTuple_Type, &members))
            return NULL;
        if (kind < 0 || kind >= SHAPE_COUNT) {
            PyErr_SetString(PyExc_SystemError, "an unknown kind of shape");
            return NULL;
        }
    }
    Py_ssize_t count = members == NULL ? 0 : PyTuple_GET_SIZE(members);
    if (kind == SHAPE_UUID)
        count = 1;
    Shape *shape = PyMem_Calloc(1, sizeof *shape + (size_t)count * sizeof *shape->members);
    if (shape == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    shape->refs = 1;
    shape->type = (PyTypeObject *)Py_NewRef((PyObject *)type);
    shape->kind = kind;
    shape->head = Py_XNewRef(head);
    shape->count = count;
    if (kind == SHAPE_UUID) {
        shape->members[0].name = PyUnicode_InternFromString("int");
        if (shape->members[0].name == NULL)
            goto failed;
        shape->members[0].offset = slot_of(type, shape->members[0].name);
        return shape;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        Member *m = &shape->members[i];
        PyObject *key, *name;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(members, i), "SU", &key, &name))
            goto failed;
        m->key = Py_NewRef(key);
        m->name = Py_NewRef(name);
        PyUnicode_InternInPlace(&m->name);
        m->offset = slot_of(type, m->name);
    }
    return shape;
failed:
    shape_unref(shape);
    return NULL;
}

static int prepare(Shapes *s)
{
    PyObject *m = time_prepare() < 0 ? NULL : PyImport_ImportModule("covet._shape");
    if (m == NULL)
        return -1;
    PyObject *unset = PyObject_GetAttrString(m, "UNSET"), *describe = PyObject_GetAttrString(m, "describe");
    Py_DECREF(m);
    if (unset == NULL || describe == NULL) {
        Py_XDECREF(unset);
        Py_XDECREF(describe);
        return -1;
    }
    Py_XSETREF(s->unset, unset);
    Py_XSETREF(s->describe, describe);
    return 0;
}

Shape *shape_of(Shapes *s, PyTypeObject *type)
{
    uintptr_t address = (uintptr_t)type;
    Shape **set = &s->places[(address >> 4 ^ address >> 12) % (SHAPE_PLACES / SHAPE_WAYS) * SHAPE_WAYS], *shape;
    for (size_t i = 0; i < SHAPE_WAYS && (shape = set[i]) != NULL; i++)
        if (shape->type == type) {
            shape->refs++;
            return shape;
        }
    if (s->describe == NULL && prepare(s) < 0)
        return NULL;
    PyObject *said = PyObject_CallOneArg(s->describe, (PyObject *)type);
    if (said == NULL)
        return NULL;
    shape = shape_new(type, said);
    Py_DECREF(said);
    if (shape == NULL)
        return NULL;
    /* The newest comes first, the oldest goes: last of all, because what goes with it may run Python code. */
    Shape *oldest = set[SHAPE_WAYS - 1];
    memmove(set + 1, set, (SHAPE_WAYS - 1) * sizeof *set);
    shape->refs++;
    set[0] = shape;
    shape_unref(oldest);
    return shape;
}

int shapes_traverse(Shapes *s, visitproc visit, void *arg)
{
    Py_VISIT(s->describe);
    Py_VISIT(s->unset);
    for (size_t i = 0; i < SHAPE_PLACES; i++)
        if (s->places[i] != NULL)
            Py_VISIT(s->places[i]->type);
    return 0;
}

void shapes_clear(Shapes *s)
{
    for (size_t i = 0; i < SHAPE_PLACES; i++) {
        Shape *shape = s->places[i];
        s->places[i] = NULL;
        shape_unref(shape);
    }
    Py_CLEAR(s->describe);
    Py_CLEAR(s->unset);
}
