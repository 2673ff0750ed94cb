package demo

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

//go:embed console.html
var consolePage []byte

// console is the handler of a node's Console port: a page that says which node answered, asks again
// and again, and holds a WebSocket open, as MinIO's Console does.
func (n *Node) console(p *port) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src data:; connect-src 'self' ws: wss:")
		w.Write(consolePage)
	})
	mux.HandleFunc("GET /api/node", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(n.whoami())
	})
	mux.HandleFunc("POST /api/v1/login", func(w http.ResponseWriter, _ *http.Request) { // everybody is let in
		http.SetCookie(w, &http.Cookie{Name: "token", Value: "toy", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /ws/objectManager", func(w http.ResponseWriter, r *http.Request) { n.webSocket(w, r, p) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "sluice demo, "+n.Name)
		mux.ServeHTTP(w, r)
	})
}

// whoami says in JSON which node this is and which others run.
func (n *Node) whoami() []byte {
	var answer struct {
		Node    string   `json:"node"`
		Address string   `json:"address"`
		Running []string `json:"running"`
	}
	answer.Node, answer.Address = n.Name, n.Console().String()
	for _, other := range n.cluster.Nodes {
		if other.Running() {
			answer.Running = append(answer.Running, other.Name)
		}
	}
	b, _ := json.Marshal(answer) // strings always marshal
	return b
}

// webSocketLife is how long a WebSocket may stay open without a word from the browser.
const webSocketLife = time.Hour

// webSocket sends one message, saying which node this is, and then holds the connection until either
// side ends it: as much of RFC 6455 as shows that a balancer lets it through and leaves it alone.
func (n *Node) webSocket(w http.ResponseWriter, r *http.Request, p *port) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || key == "" {
		http.Error(w, "this address speaks WebSocket", http.StatusUpgradeRequired)
		return
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer p.conns.Done() // the server does not say any more when the connection is over
	defer conn.Close()
	defer context.AfterFunc(r.Context(), func() { conn.Close() })()

	message := n.whoami()
	io.WriteString(buf, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+acceptKey(key)+"\r\n\r\n")
	buf.Write(textFrame(message))
	if buf.Flush() != nil {
		return
	}
	conn.SetDeadline(time.Now().Add(webSocketLife))
	io.Copy(io.Discard, io.LimitReader(buf, 1<<20)) // what a browser says to it is of no interest
}

// textFrame is a whole message, RFC 6455 section 5.2: FIN and opcode 1 (1 byte), then the length, unmasked: up to
// 125 in 1 byte, above that 126 (1) and 16 bits (2). Chromium closes if the short form would have done.
func textFrame(message []byte) []byte {
	n := len(message)
	if n <= 125 {
		return append([]byte{0x81, byte(n)}, message...)
	}
	return append([]byte{0x81, 126, byte(n >> 8), byte(n)}, message...)
}

// acceptKey is the answer to a key, RFC 6455 section 4.2.2.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
