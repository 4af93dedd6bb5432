package preview

import (
	"errors"
	"fmt"

	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/internal/jetstream"
)

// What may wait to be taken: of questions, which one sidecar is asked seldom, and
// of answers to one question.
const (
	pendingQuestions, pendingQuestionBytes = 4, 4 * MaxQuestion
	pendingAnswers, pendingAnswerBytes     = 2 * MaxAsked, 2 * MaxAsked * MaxAnswer
)

// questions is the subject on which one sidecar is asked.
func questions(environment, boot string) string {
	return jetstream.AskSubject(environment) + ".preview." + boot
}

// answers is the subject of the answers to one question, and with "*" to all.
func answers(environment, id string) string {
	return jetstream.StatusSubject(environment) + ".preview." + id
}

// Ask sends the bytes of a question to a sidecar and waits for nothing. That it was
// sent does not mean that it arrives. Without a connection it fails at once with
// [flagsync.ErrUnreachable].
func Ask(c *flagsync.Conn, environment, boot string, question []byte, signature changelog.Signature) error {
	client := jetstream.Use(c)
	if !client.Connected() {
		return jetstream.ErrNoConnection
	}
	m := jetstream.NewOutgoing(questions(environment, boot), question)
	m.SetProof(string(signature))
	return client.Send(m)
}

// Listen has take called with the bytes of every question to a sidecar, and what is
// said to be their signature, one after the other, until stop is called. Questions
// that come faster than they are taken are dropped.
func Listen(c *flagsync.Conn, environment, boot string, take func(question []byte, signature changelog.Signature)) (stop func(), err error) {
	return subscribe(c, questions(environment, boot), pendingQuestions, pendingQuestionBytes, func(m jetstream.Message) {
		take(m.Data, changelog.Signature(m.Proof))
	})
}

// Reply sends an answer, as Ask does a question.
func Reply(c *flagsync.Conn, environment string, a Answer) error {
	data, err := Encode(a)
	if err != nil {
		return err
	}
	client := jetstream.Use(c)
	if !client.Connected() {
		return jetstream.ErrNoConnection
	}
	return client.Send(jetstream.NewOutgoing(answers(environment, a.ID), data))
}

// Collect has take called with every answer of sidecars of an environment, also to
// questions of other publishers, one after the other, or with why a message is none,
// until stop is called.
func Collect(c *flagsync.Conn, environment string, take func(Answer, error)) (stop func(), err error) {
	return subscribe(c, answers(environment, "*"), pendingAnswers, pendingAnswerBytes, func(m jetstream.Message) {
		a, err := Decode(m.Data)
		if err == nil && m.Subject != answers(environment, a.ID) {
			err = errors.New("preview: an answer to another question")
		}
		take(a, err)
	})
}

func subscribe(c *flagsync.Conn, subject string, messages, bytes int, take func(jetstream.Message)) (stop func(), err error) {
	sub, err := jetstream.Use(c).Subscribe(subject, take)
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	if err := sub.Limit(messages, bytes); err != nil {
		sub.Unsubscribe()
		return nil, err
	}
	return sub.Unsubscribe, nil
}
