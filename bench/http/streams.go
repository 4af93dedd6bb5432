//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/flagside/flagside/internal/process"
)

// listeners are event streams of one sidecar.
type listeners struct {
	conns   []net.Conn
	events  chan event
	reading sync.WaitGroup
}

// event is one event on one stream, or the end of one.
type event struct {
	at  time.Time
	err error
}

const streamRequest = "GET /ofrep/v1/sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"

// listen opens streams and waits for the event that each begins with. The caller closes what it returns.
func listen(ctx context.Context, address string, streams int) (*listeners, error) {
	l := &listeners{events: make(chan event, streams)}
	for range streams {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return l, err
		}
		l.conns = append(l.conns, conn)
		if _, err := conn.Write([]byte(streamRequest)); err != nil {
			return l, err
		}
		l.reading.Go(func() { l.events <- event{err: l.read(conn)} })
	}
	return l, l.await(ctx, func(event) error { return nil })
}

// read reads one stream.
func (l *listeners) read(conn net.Conn) error {
	in := bufio.NewScanner(conn)
	for first := true; in.Scan(); first = false {
		if first && in.Text() != "HTTP/1.1 200 OK" {
			return fmt.Errorf("the sidecar refuses a stream: %s", in.Text())
		}
		if bytes.HasPrefix(in.Bytes(), []byte("data:")) {
			l.events <- event{at: time.Now()}
		}
	}
	return errors.Join(errors.New("a stream has ended"), in.Err())
}

// await waits for one event on each stream.
func (l *listeners) await(ctx context.Context, take func(event) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range l.conns {
		select {
		case e := <-l.events:
			if e.err != nil {
				return e.err
			}
			if err := take(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("%d of %d streams have no event after %s", len(l.conns)-i, len(l.conns), patience)
		}
	}
	return nil
}

func (l *listeners) close() {
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	go func() {
		l.reading.Wait()
		close(l.events)
	}()
	for range l.events { // so that the readers can end
	}
}

// visitStreams measures how long changes take from the publisher to the last of the streams. An answer is an event on one stream.
func (w *world) visitStreams(ctx context.Context, a *asked, s *sidecar, much amount) (sample, error) {
	l, err := listen(ctx, s.OFREP, a.Streams)
	defer l.close()
	if err != nil {
		return sample{}, err
	}
	revision, err := revisionOf(ctx, w.publisher, a.environment())
	if err != nil {
		return sample{}, err
	}
	before, err := process.UsedCPU(s.PID())
	if err != nil {
		return sample{}, err
	}
	latency := hdrhistogram.New(100, int64(patience), 3)
	tick := time.NewTicker(time.Duration(float64(time.Second) / a.Changes))
	defer tick.Stop()
	begin := time.Now()
	for i := 0; time.Since(begin) < much.warmUp+much.measured || i == 0; i++ {
		<-tick.C
		start := time.Now()
		if revision, err = w.publisher.PutFlag(ctx, a.environment(), changedFlag, revision, document(i)); err != nil {
			return sample{}, err
		}
		if err := l.await(ctx, func(e event) error { return latency.RecordValue(max(1, e.at.Sub(start).Nanoseconds())) }); err != nil {
			return sample{}, err
		}
	}
	took := time.Since(begin)
	after, err := process.UsedCPU(s.PID())
	if err != nil {
		return sample{}, err
	}
	resident, err := process.ResidentBytes(s.PID())
	return newSample(latency, took, after-before, resident), err
}
