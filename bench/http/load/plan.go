//go:build linux

package load

import (
	"fmt"
	"strings"
)

// Target is where a server listens.
type Target struct {
	Network string // tcp or unix
	Address string // host:port, or the path of a socket
}

// String returns the target as options of servers write it.
func (t Target) String() string {
	if t.Network == "unix" {
		return "unix:" + t.Address
	}
	return t.Address
}

// Request is a request in the form in which it is sent.
type Request struct {
	wire   []byte
	digits int // where the ten digits begin that make each request another one; -1 if there are none
	grpc   bool
}

// Number in the body of a request is replaced by a number that is another one in each request.
const Number = "0000000000"

// HTTP returns a request of HTTP/1.1 with the header lines.
func HTTP(method, path, body string, header ...string) Request {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	for _, line := range header {
		b.WriteString(line + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	return Request{wire: []byte(b.String() + body), digits: digitsOf(body, b.Len())}
}

// digitsOf returns where the number in a body stands that begins at an offset.
func digitsOf(body string, offset int) int {
	at := strings.Index(body, Number)
	if at < 0 {
		return -1
	}
	return offset + at
}

// Plan says what is sent to whom.
type Plan struct {
	Target
	// Requests are sent in turn. At least one is required, and all are of one protocol.
	Requests []Request
	// Status is what each answer of HTTP must have. Answers of gRPC must be OK.
	Status int
	// Connections are how many connections there are, each with one request at a time; 0 means 16.
	Connections int
}
