package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
)

// requestTimeout bounds one request to the JetStream API, and createTimeout one
// that makes a stream, which waits for the disk and, on a cluster, for an
// election; the caller's context may end them before.
const (
	RequestTimeout = 2 * time.Second
	createTimeout  = 10 * time.Second
)

// apiError is how JetStream refuses a request or a message.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("JetStream: %s (%d)", e.Description, e.ErrCode)
}

// Is reports whether JetStream says that its disk is full, for [ErrDiskFull].
func (e *apiError) Is(target error) bool {
	return target == ErrDiskFull && strings.Contains(e.Description, syscall.ENOSPC.Error())
}

// Error codes of JetStream; the names are those of the server's errors.json.
const (
	codeClusterNoPeers    = 10005
	codeClusterNotAvail   = 10008
	codeNoMessageFound    = 10037
	codeStreamNameInUse   = 10058
	CodeStreamNotFound    = 10059
	codeWrongLastSequence = 10071
	codeStoreFailed       = 10077
	CodeDuplicateInFlight = 10158
	codeWrongLastConstant = 10164
	CodeIncompleteBatch   = 10176
	CodeDuplicateInBatch  = 10201

	codeNotEnabledForAccount = 10039
	codeNotEnabled           = 10076
)

// HasCode reports whether err is JetStream's refusal for one of the reasons.
func HasCode(err error, codes ...int) bool {
	refusal, ok := errors.AsType[*apiError](err)
	return ok && slices.Contains(codes, refusal.ErrCode)
}

// Request asks the JetStream API and decodes the answer into response. body is
// encoded as JSON unless it is nil. An answer that does not come is
// [ErrUnreachable], and so is that of a cluster of which too few servers are
// there; a refusal is an *apiError.
func (c Client) Request(ctx context.Context, call string, body, response any) error {
	return c.requestWithin(ctx, RequestTimeout, call, body, response)
}

func (c Client) requestWithin(ctx context.Context, timeout time.Duration, call string, body, response any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
	}
	msg := &nats.Msg{Subject: c.api() + call, Data: data}
	reply, err := c.ask(ctx, msg, timeout)
	if err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	err = decodeReply(reply.Data, response)
	c.answered(msg.Subject, err)
	if HasCode(err, codeClusterNoPeers, codeClusterNotAvail) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}

// decodeReply decodes an answer of JetStream, which holds an error or what was
// asked for.
func decodeReply(data []byte, response any) error {
	var refusal struct {
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(data, &refusal); err != nil {
		return fmt.Errorf("answer of JetStream: %w", err)
	}
	if refusal.Error != nil {
		return refusal.Error
	}
	if response == nil {
		return nil
	}
	if err := json.Unmarshal(data, response); err != nil {
		return fmt.Errorf("answer of JetStream: %w", err)
	}
	return nil
}

// ask sends a message and returns the reply. Whatever keeps the reply from
// coming is [ErrUnreachable], except that a message is too large to be sent.
func (c Client) ask(ctx context.Context, msg *nats.Msg, timeout time.Duration) (*nats.Msg, error) {
	if !c.Connected() {
		return nil, ErrNoConnection
	}
	wait, cancel := c.within(ctx, timeout)
	defer cancel()
	reply, err := c.nats.RequestMsgWithContext(wait, msg)
	switch {
	case err == nil:
		return reply, nil
	case errors.Is(err, nats.ErrMaxPayload):
		return nil, c.tooLarge(msg)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, context.Cause(ctx))
	case errors.Is(context.Cause(wait), errLost):
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, errLost)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return nil, unsent(err)
	case errors.Is(err, nats.ErrNoResponders):
		c.doubt()
		return nil, fmt.Errorf("%w: no server answers for it: %w", ErrUnreachable, err)
	case errors.Is(err, context.DeadlineExceeded):
		c.doubt()
		return nil, fmt.Errorf("%w: no answer within %s: %w", ErrUnreachable, timeout, nats.ErrTimeout)
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}

// ErrNoConnection is the answer to what is not even sent. nats.go would be asked
// in vain, and keep the caller waiting for as long as it tries to connect.
var ErrNoConnection = fmt.Errorf("%w: there is no connection to NATS", ErrUnreachable)

// unsent returns the error about a request that was not sent. That a message of
// an outage is not kept until its end, which nats.go tells as a full buffer, is
// on purpose.
func unsent(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return ErrNoConnection
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func (c *Conn) tooLarge(msg *nats.Msg) error {
	return fmt.Errorf("a message of %d bytes is too large for the NATS server, which takes at most %d: raise its max_payload, 1 MB is enough",
		msg.Size(), c.nats.MaxPayload())
}

// Pause waits, and reports whether ctx is still alive.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
