module github.com/covetpy/covet/tests

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/covetpy/covet v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/segmentio/asm v1.1.3 // indirect
	github.com/segmentio/encoding v0.5.4 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/covetpy/covet => ../
