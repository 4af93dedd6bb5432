package webhook

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/flagside/flagside/internal/publisher/activity"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/control/requests"
)

const (
	// maxLine bounds a line of a message, in characters: people write reasons and keys as long as they like, and chats refuse long messages.
	maxLine = 300
	// maxDocuments is how many documents a message names.
	maxDocuments = 5
)

// message is an event for people. Its lines are plain text: they are never to be shown as markup.
type message struct {
	title string
	loud  bool // it went without approvals
	lines []line
	// link and review say where and how a change request is looked at; one is empty, or both.
	link   string
	review []string // commands
}

type line struct{ name, text string }

// newMessage tells an event in a few lines.
func newMessage(o occurrence) message {
	e := o.event
	m := message{title: plain(fmt.Sprintf("%s: %s", o.environment, headline(e))), loud: e.Breaks}
	m.add("Documents", documents(e.Documents, e.More))
	m.add("By", nameIn(e.Names, e.Actor))
	m.add("Approved by", approvers(e))
	m.add("Reason", e.Text)
	m.add("Action", e.Action)
	m.add("Policies", strings.Join(e.Policies, ", "))
	if e.Count > 0 {
		m.add("Count", fmt.Sprintf("%d since %s", e.Count, e.From.UTC().Format(time.RFC3339)))
	}
	m.add("Outcome", e.Outcome)
	m.add("Revision", e.Revision)
	m.add("Time", e.Time.UTC().Format(time.RFC3339))
	if e.Request != "" {
		m.add("Change request", e.Request)
		m.link = o.link
		if m.link == "" && awaitsReview(e.Type) {
			m.review = []string{command("show", o), command("approve", o)}
		}
	}
	return m
}

func (m *message) add(name, text string) {
	if text = plain(text); text != "" {
		m.lines = append(m.lines, line{name, text})
	}
}

// headline says what happened.
func headline(e api.Event) string {
	what := map[string]string{
		activity.TypeChange:                   "flags changed",
		string(requests.EventOpened):          "change request opened",
		string(requests.EventRebased):         "change request rebased",
		string(requests.EventCommented):       "change request commented",
		string(requests.EventApproved):        "change request approved",
		string(requests.EventRejected):        "change request rejected",
		string(requests.EventWithdrawn):       "change request withdrawn",
		string(requests.EventExpired):         "change request expired",
		string(requests.EventApplied):         "change request applied",
		string(requests.EventReviewed):        "break-glass change reviewed",
		string(requests.EventRefused):         "access denied",
		string(requests.EventRisk):            "risk settings changed",
		string(requests.EventEpochBegun):      "new epoch begun",
		string(requests.EventArchived):        "environment archived",
		string(requests.EventRevived):         "environment revived",
		string(requests.EventAdopted):         "environment adopted",
		string(requests.EventDestroyed):       "environment destroyed",
		string(requests.EventRepaired):        "ledger repaired",
		typeTest:                              "test of a webhook",
		string(requests.EventUnauthenticated): "requests without valid credentials",
	}[e.Type]
	if what == "" {
		what = e.Type
	}
	if e.Breaks {
		what += " WITHOUT APPROVALS (break glass)"
	}
	return what
}

// awaitsReview reports whether a change request waits for people after an event.
func awaitsReview(kind string) bool {
	return kind == string(requests.EventOpened) || kind == string(requests.EventRebased)
}

// command is a line that shows or approves a change request. Neither names nor ids in it need quotes.
func command(verb string, o occurrence) string {
	return plain(fmt.Sprintf("flagside request %s %s --environment %s", verb, o.event.Request, o.environment))
}

// documents names the first of an event's documents, and counts the others, of which more are not in the list.
func documents(all []api.EventDocument, more int) string {
	var texts []string
	for i, d := range all {
		if i == maxDocuments {
			break
		}
		text := strings.TrimSpace(d.Kind + " " + d.Key)
		if d.Action == "delete" {
			text += " (deleted)"
		}
		texts = append(texts, text)
	}
	if more += len(all) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

func nameIn(names api.Names, id string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id
}

func approvers(e api.Event) string {
	var all []string
	for _, id := range e.Approvers {
		all = append(all, nameIn(e.Names, id))
	}
	return strings.Join(all, ", ")
}

// plain returns a text as one line that no terminal and no chat obeys, cut to its bound.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == 0x2028 || r == 0x2029:
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r): // Cf: direction, zero width
			return '\uFFFD'
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) > maxLine {
		text = string([]rune(text)[:maxLine-1]) + "…"
	}
	return strings.TrimSpace(text)
}
