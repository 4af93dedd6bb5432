package natsserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	flagsync "github.com/flagside/flagside/sync"
)

const (
	infoSubject   = "$JS.API.STREAM.INFO."
	deleteSubject = "$JS.API.STREAM.DELETE."

	codeStreamNotFound = 10059
)

// DeletedStream is a stream that was deleted.
type DeletedStream struct {
	Name     string
	Messages uint64
	Bytes    uint64 // that its messages took
}

// deletingPermissions are those of the connection that deletes streams.
func deletingPermissions() flagsync.Permissions {
	return flagsync.Permissions{Publish: []string{infoSubject + "*", deleteSubject + "*"}, Subscribe: []string{nats.InboxPrefix + ">"}}
}

// DeleteStream deletes a stream with everything in it, for good, and returns what that was. It returns false if there is no such stream. The
// server must be ready.
func (s *Server) DeleteStream(ctx context.Context, name string) (deleted DeletedStream, existed bool, err error) {
	conn, err := nats.Connect("", nats.InProcessServer(s.nats), nats.UserInfo(s.own.deleting, s.own.password), nats.Name("deleting "+name))
	if err != nil {
		return DeletedStream{}, false, fmt.Errorf("embedded NATS server: %w", err)
	}
	defer conn.Close()
	info, err := askJetStream(ctx, conn, infoSubject+name)
	if err != nil || info == nil {
		return DeletedStream{}, false, err
	}
	if _, err := askJetStream(ctx, conn, deleteSubject+name); err != nil {
		return DeletedStream{}, false, err
	}
	return DeletedStream{Name: name, Messages: info.State.Messages, Bytes: info.State.Bytes}, true, nil
}

// jetStreamAnswer is as much of an answer of JetStream as is needed here.
type jetStreamAnswer struct {
	State struct {
		Messages uint64 `json:"messages"`
		Bytes    uint64 `json:"bytes"`
	} `json:"state"`
	Error *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// askJetStream returns the answer to an empty request, nil if there is no such stream.
func askJetStream(ctx context.Context, conn *nats.Conn, subject string) (*jetStreamAnswer, error) {
	msg, err := conn.RequestWithContext(ctx, subject, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	var a jetStreamAnswer
	switch err := json.Unmarshal(msg.Data, &a); {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", subject, err)
	case a.Error != nil && a.Error.Code == codeStreamNotFound:
		return nil, nil
	case a.Error != nil:
		return nil, fmt.Errorf("%s: %w", subject, errors.New(a.Error.Description))
	}
	return &a, nil
}
