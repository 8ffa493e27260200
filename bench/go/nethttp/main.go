// Command nethttp answers the profiles with net/http, and gzip by the wrapper that is usual for it.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/covetpy/covet/bench/go/board"
)

func main() {
	mux := routes()
	var handler http.Handler = mux
	if len(os.Args) > 3 && os.Args[3] == "compress" {
		wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(256), gzhttp.CompressionLevel(4))
		if err != nil {
			log.Fatal(err)
		}
		handler = wrap(mux)
	}
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServer(http.Dir(os.Args[2]))))
	log.Fatal(http.ListenAndServe(os.Args[1], handler))
}

func routes() *http.ServeMux {
	items := board.Items()
	hello, ok := []byte("Hello, World!"), []byte("ok")
	mux := http.NewServeMux()
	fixed := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { text(w, body) }
	}
	mux.Handle("GET /plaintext", fixed(hello))
	mux.Handle("GET /pipeline", fixed(ok))
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(10 * time.Millisecond)
		text(w, ok)
	})
	baseline := func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		a, err1 := strconv.Atoi(q.Get("a"))
		b, err2 := strconv.Atoi(q.Get("b"))
		if err1 != nil || err2 != nil {
			refuse(w, "query")
			return
		}
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
			n, err2 := strconv.Atoi(string(body))
			if err != nil || err2 != nil {
				refuse(w, "body")
				return
			}
			a += n
		}
		text(w, strconv.AppendInt(nil, int64(a+b), 10))
	}
	mux.HandleFunc("GET /baseline11", baseline)
	mux.HandleFunc("POST /baseline11", baseline)
	mux.HandleFunc("GET /json/{count}", func(w http.ResponseWriter, r *http.Request) {
		count, err := strconv.Atoi(r.PathValue("count"))
		m := 1
		if v := r.URL.Query().Get("m"); v != "" && err == nil {
			m, err = strconv.Atoi(v)
		}
		if err != nil {
			refuse(w, "count")
			return
		}
		reply(w, 200, board.Of(items, count, m))
	})
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		q := r.URL.Query()
		limit := 10
		if v := q.Get("limit"); v != "" && err == nil {
			limit, err = strconv.Atoi(v)
		}
		if err != nil {
			refuse(w, "id")
			return
		}
		tenant := r.Header.Get("X-Tenant")
		if tenant == "" {
			tenant = "none"
		}
		reply(w, 200, board.User{ID: id, Q: q.Get("q"), Limit: limit, Tenant: tenant, Active: true})
	})
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) {
		var u board.NewUser
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&u); err != nil {
			refuse(w, "body")
			return
		}
		if wrong := u.Wrong(); wrong != "" {
			refuse(w, wrong)
			return
		}
		reply(w, 201, &u)
	})
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			refuse(w, "body")
			return
		}
		text(w, strconv.AppendInt(nil, n, 10))
	})
	return mux
}

func text(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	_, _ = w.Write(body) // the client is gone if this fails
}

func refuse(w http.ResponseWriter, field string) { reply(w, 422, board.Refusal{Error: field}) }

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = 500, nil
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
