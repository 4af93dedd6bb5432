package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"time"
)

// watcher asks a sidecar for one flag again and again over one connection, with
// the least work of its own: what it costs would be measured, too.
type watcher struct {
	cancel context.CancelFunc
	seen   chan observation // every change of the value, in order
}

type observation struct {
	value string
	at    time.Time
	err   error
}

// interval is the time between two questions, and so the error of a time.
const interval = 100 * time.Microsecond

func watch(ctx context.Context, address, key string) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{cancel: cancel, seen: make(chan observation, 1024)}
	go func() {
		defer close(w.seen)
		if err := w.run(ctx, address, key); err != nil && ctx.Err() == nil {
			w.seen <- observation{err: err}
		}
	}()
	return w
}

// close ends the watcher and returns when it is gone.
func (w *watcher) close() {
	w.cancel()
	for range w.seen { // so that the goroutine can end
	}
}

// await returns the time at which value was first seen.
func (w *watcher) await(ctx context.Context, value string) (time.Time, error) {
	for {
		select {
		case o, open := <-w.seen:
			if !open || o.err != nil {
				return time.Time{}, fmt.Errorf("the watcher ended: %w", o.err)
			}
			if o.value == value {
				return o.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func (w *watcher) run(ctx context.Context, address, key string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()

	const body = `{"context":{"targetingKey":"bench"}}`
	request := fmt.Appendf(nil, "POST /ofrep/v1/evaluate/flags/%s HTTP/1.1\r\nHost: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", key, address, len(body), body)
	in := bufio.NewReader(conn)
	last := ""
	for ; ctx.Err() == nil; time.Sleep(interval) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		value, err := readValue(in)
		if err != nil {
			return err
		}
		if value != last {
			last = value
			w.seen <- observation{value: value, at: time.Now()}
		}
	}
	return ctx.Err()
}

// readValue reads one HTTP response and returns the text of its number value,
// empty when it has none.
func readValue(in *bufio.Reader) (string, error) {
	text := textproto.NewReader(in)
	if _, err := text.ReadLine(); err != nil {
		return "", err
	}
	header, err := text.ReadMIMEHeader()
	if err != nil {
		return "", err
	}
	length, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return "", fmt.Errorf("content length: %w", err)
	}
	body := make([]byte, length)
	for n := 0; n < length; {
		m, err := in.Read(body[n:])
		if err != nil {
			return "", err
		}
		n += m
	}
	_, rest, _ := bytes.Cut(body, []byte(`"value":`))
	end := bytes.IndexAny(rest, ",}")
	return string(rest[:max(end, 0)]), nil
}
