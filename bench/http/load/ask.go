//go:build linux

package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Answer is one answer of HTTP as a whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Wire   []byte // header and body as they were sent
}

// Ask sends one request of HTTP and returns the answer, whatever its status.
func Ask(t Target, r Request) (a Answer, err error) {
	conn, err := net.DialTimeout(t.Network, t.Address, connectTimeout)
	if err != nil {
		return Answer{}, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return Answer{}, err
	}
	if _, err := conn.Write(r.wire); err != nil {
		return Answer{}, err
	}
	var wire bytes.Buffer
	response, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &wire)), nil)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", t, err)
	}
	body, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, body, wire.Bytes()}, errors.Join(err, response.Body.Close())
}
