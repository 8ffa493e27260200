module github.com/covetpy/covet/tests

go 1.26.0

require github.com/covetpy/covet v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace github.com/covetpy/covet => ../
