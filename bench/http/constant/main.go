// Command constant is the limit that a server of HTTP comes up against: a fasthttp server that answers every request with the same bytes, and does
// nothing else. Package http of the benchmarks drives it beside a sidecar.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

func main() {
	network := flag.String("network", "tcp", "tcp or unix")
	address := flag.String("address", "127.0.0.1:0", "host:port, or the path of a socket")
	answer := flag.String("answer", "", "file with the answer, header and body as they go over the wire")
	flag.Parse()
	if err := run(*network, *address, *answer); err != nil {
		fmt.Fprintln(os.Stderr, "constant:", err)
		os.Exit(1)
	}
}

func run(network, address, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	answer, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	return newServer(answer).Serve(l)
}

func newServer(a *answer) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:               a.handle,
		NoDefaultServerHeader: true,
		NoDefaultDate:         true,
		NoDefaultContentType:  true,
		ReadBufferSize:        16 << 10, // as the sidecar's
	}
}

// answer is what every request gets.
type answer struct {
	status int
	fields [][2]string
	body   []byte
}

func (a *answer) handle(ctx *fasthttp.RequestCtx) {
	ctx.SetStatusCode(a.status)
	for _, field := range a.fields {
		ctx.Response.Header.Set(field[0], field[1])
	}
	ctx.Response.SetBodyRaw(a.body)
}

// parse reads an answer. fasthttp writes the length of the body by itself.
func parse(text []byte) (*answer, error) {
	head, body, whole := bytes.Cut(text, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	if !whole || len(lines[0]) < len("HTTP/1.1 200") {
		return nil, errors.New("not an answer of HTTP/1.1")
	}
	status, err := strconv.Atoi(lines[0][len("HTTP/1.1 "):len("HTTP/1.1 200")])
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	a := &answer{status: status, body: body}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if !strings.EqualFold(name, fasthttp.HeaderContentLength) {
			a.fields = append(a.fields, [2]string{name, value})
		}
	}
	return a, nil
}
