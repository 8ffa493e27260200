package protocol

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/covetpy/covet"
	"github.com/covetpy/covet/internal/transport"
)

const patience = 30 * time.Second

// serve runs a until the test ends and returns its address and what ends it.
func serve(t *testing.T, a *covet.App) (address string, stop func() error) {
	t.Helper()
	l, err := transport.Open(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, l) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return l.Addr().String(), stop
}

// TestWebSocket has a WebSocket server for net/http take its connections over, on every transport: messages of all
// sizes both ways, many at once, and an orderly end.
func TestWebSocket(t *testing.T) {
	for _, kind := range []string{"auto", "epoll", "net"} {
		t.Run(kind, func(t *testing.T) {
			a := covet.New(covet.WithTransport(kind), covet.WithConcurrency(2, 16), covet.WithDrainTimeout(5*time.Second))
			a.Get("/ws", covet.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
					Subprotocols: []string{"echo"}, CompressionMode: websocket.CompressionContextTakeover,
				})
				if err != nil {
					t.Logf("accept: %v", err) // it has answered
					return
				}
				defer c.CloseNow()
				c.SetReadLimit(8 << 20)
				for {
					kind, p, err := c.Read(r.Context())
					if err != nil {
						return
					}
					if err := c.Write(r.Context(), kind, p); err != nil {
						t.Errorf("write: %v", err)
						return
					}
				}
			})))
			address, stop := serve(t, a)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()

			// More connections than the pool has goroutines.
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					c, _, err := websocket.Dial(ctx, "ws://"+address+"/ws", &websocket.DialOptions{
						Subprotocols: []string{"other", "echo"}, CompressionMode: websocket.CompressionContextTakeover,
					})
					if err != nil {
						t.Errorf("dial: %v", err)
						return
					}
					defer c.CloseNow()
					c.SetReadLimit(8 << 20)
					if c.Subprotocol() != "echo" {
						t.Errorf("subprotocol %q", c.Subprotocol())
					}
					for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
						if size > 1<<16 && i > 2 {
							continue
						}
						want := bytes.Repeat([]byte{byte(i), byte(size), 'x'}, size/3+1)[:size]
						if err := c.Write(ctx, websocket.MessageBinary, want); err != nil {
							t.Errorf("%d: %v", size, err)
							return
						}
						_, got, err := c.Read(ctx)
						if err != nil || !bytes.Equal(got, want) {
							t.Errorf("%d: %d bytes, %v", size, len(got), err)
							return
						}
					}
					if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			}
			all.Wait()

			resp, err := http.Get("http://" + address + "/ws")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUpgradeRequired || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
				t.Errorf("without an upgrade: %s %v", resp.Status, resp.Header)
			}
			if err := stop(); err != nil {
				t.Errorf("the end: %v", err)
			}
		})
	}
}

// TestWebSocketAtTheEnd leaves a connection open: the drain waits for its time, then cuts it.
func TestWebSocketAtTheEnd(t *testing.T) {
	a := covet.New(covet.WithDrainTimeout(300 * time.Millisecond))
	a.Get("/ws", covet.FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		// The context of a request tells that the server drains.
		<-r.Context().Done()
		_ = c.Write(context.WithoutCancel(r.Context()), websocket.MessageText, []byte("bye"))
	})))
	address, stop := serve(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, fmt.Sprintf("ws://%s/ws", address), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := stop(); err == nil || !strings.Contains(err.Error(), "1 exchanges aborted") {
		t.Errorf("the end: %v", err)
	}
	if _, p, err := c.Read(ctx); string(p) != "bye" || err != nil {
		t.Errorf("read %q %v", p, err)
	}
	if _, _, err := c.Read(ctx); err == nil {
		t.Error("the connection is open")
	}
}
