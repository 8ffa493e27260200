module github.com/covetpy/covet/tests

go 1.26
