package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/flagside/flagside/internal/publisher/egress"
	"github.com/flagside/flagside/internal/publisher/usage/sinks/rows"
)

const (
	// MaxRecords is how many records one request has at most. Their size is bounded by what a report may have: 1 KB of names and 50 flags a record.
	MaxRecords = 500
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 10
	media     = "application/x-protobuf"
	scope     = "github.com/flagside/flagside"
)

// Options say where records go. All but Header, AllowPrivate and CA are required. They hold secrets.
type Options struct {
	URL          *url.URL
	Header       http.Header // sent with each request
	AllowPrivate []netip.Prefix
	CA           []byte
	Timeout      time.Duration // of one request
}

// Client sends records to one receiver.
type Client struct {
	options Options
	http    *http.Client
}

// RefusedError is an answer that is not 2xx.
type RefusedError struct {
	Status int
	// RetryAfter is how long the receiver wants to be left alone; 0 if it does not say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *RefusedError) Error() string {
	text := fmt.Sprintf("the receiver answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Status/100 == 3 {
		text += ": redirects are not followed, give the address it redirects to"
	}
	return text
}

// Permanent reports whether the same request will never be taken: the receiver cannot read it, or it is too large.
func (e *RefusedError) Permanent() bool {
	return e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge || e.Status == http.StatusUnprocessableEntity
}

// New returns a client.
func New(o Options) *Client {
	return &Client{o, &http.Client{
		Transport: egress.Transport(egress.Over(o.URL.Scheme, o.AllowPrivate), o.CA, o.Timeout), Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Where returns what may be shown of the address.
func (c *Client) Where() string { return c.options.URL.Scheme + "://" + c.options.URL.Host }

// Sent is what became of a request.
type Sent struct {
	Bytes    int   // of its body
	Rejected int64 // records that the receiver did not want, and why
	Why      string
}

// Send sends records about an environment with one request. Errors have nothing of the address but its host; those of an answer are a RefusedError.
func (c *Client) Send(ctx context.Context, environment string, records []*logs.LogRecord) (Sent, error) {
	body, err := encode(environment, records)
	if err != nil {
		return Sent{}, fmt.Errorf("otlp: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.options.URL.String(), bytes.NewReader(body))
	if err != nil {
		return Sent{}, errors.New("the address of the receiver cannot be used")
	}
	maps.Copy(request.Header, c.options.Header)
	request.Header.Set("Content-Type", media)
	request.Header.Set("Content-Encoding", "gzip")
	request.Header.Set("User-Agent", "flagside-publisher")
	response, err := c.http.Do(request)
	if about, ok := errors.AsType[*url.Error](err); ok {
		err = about.Err // without the address
	}
	if err != nil {
		return Sent{}, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode/100 != 2 {
		return Sent{}, &RefusedError{response.StatusCode, egress.RetryAfter(response.Header.Get("Retry-After"), time.Now())}
	}
	sent := Sent{Bytes: len(body)}
	if err != nil {
		return sent, nil // it has taken the records; what else it says is lost
	}
	sent.Rejected, sent.Why = rejected(answer, len(records))
	return sent, nil
}

// rejected returns how many records the receiver did not want. An answer that cannot be read says none.
func rejected(answer []byte, sent int) (n int64, why string) {
	var said collector.ExportLogsServiceResponse
	if proto.Unmarshal(answer, &said) != nil {
		return 0, ""
	}
	partial := said.GetPartialSuccess()
	return min(max(partial.GetRejectedLogRecords(), 0), int64(sent)), partial.GetErrorMessage()
}

func encode(environment string, records []*logs.LogRecord) ([]byte, error) {
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(&collector.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource:  from(environment),
		ScopeLogs: []*logs.ScopeLogs{{Scope: &common.InstrumentationScope{Name: scope}, LogRecords: records}},
	}}})
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

func sorted[T any](hours rows.Hours[T]) []rows.Hour { return slices.Sorted(maps.Keys(hours)) }
