package attacks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/publisher/natsserver"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	flagsync "github.com/flagside/flagside/sync"
	"github.com/flagside/flagside/sync/writer"
)

// questions are what a sidecar of prod may ask, with an answer that finds something and one that does not.
func questions() map[string]string {
	return map[string]string{
		"STREAM.INFO.FLAGS_prod":                 "",
		"STREAM.MSG.GET.FLAGS_prod":              `{"seq":1}`,
		"DIRECT.GET.FLAGS_prod":                  `{"seq":1,"batch":10}`,
		"DIRECT.GET.FLAGS_prod ":                 ``, // finds nothing: the answer has no body, as a request to delete
		"DIRECT.GET.SNAP_prod.snap.prod.missing": ``,
	}
}

// askWithReplies asks every question with each reply subject, and calls after with a description of each.
func askWithReplies(t *testing.T, s *site, attacker *nats.Conn, replies []string, after func(what string)) {
	t.Helper()
	for question, body := range questions() {
		for _, reply := range replies {
			call := strings.TrimSpace(question)
			if err := attacker.PublishRequest(s.api+call, reply, []byte(body)); err != nil {
				t.Fatal(err)
			}
			if err := attacker.FlushTimeout(patience); err != nil {
				t.Fatal(err)
			}
			after(fmt.Sprintf("%s %s with reply %s", call, body, reply))
		}
	}
}

// destroying are subjects on which the server destroys a stream when it sends an empty message there.
func destroying() []string {
	var all []string
	for _, api := range []string{plainAPI, accountsAPI} {
		all = append(all, api+"STREAM.DELETE.FLAGS_prod", api+"STREAM.DELETE.FLAGS_staging", api+"STREAM.DELETE.LEDGER_prod",
			api+"STREAM.DELETE.CONTROL", api+"STREAM.DELETE.PEOPLE", api+"STREAM.PURGE.SNAP_prod", api+"STREAM.PURGE.PEOPLE")
	}
	return all
}

// stored are subjects that streams store.
func stored() []string {
	return []string{
		"flags.prod.x", "flags.staging.x", "ledger.prod.records", "ledger.staging.records", "control.records", "control.environment.prod",
		"snap.prod.manifest", "people.x",
	}
}

func TestASidecarCannotDeleteAStreamByReply(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		before, attacker := s.state(), s.connect(prodSidecar)
		askWithReplies(t, s, attacker, destroying(), func(what string) { s.unchanged(what, before) })
	})
}

func TestASidecarCannotWriteByReply(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		before, attacker := s.state(), s.connect(prodSidecar)
		askWithReplies(t, s, attacker, stored(), func(what string) { s.unchanged(what, before) })
	})
}

// The sidecars of one environment share an account, and can send each other answers of the server. No others hear them.
func TestASidecarCannotSpeakOutsideItsEnvironmentByReply(t *testing.T) {
	t.Parallel()
	replies := []string{
		"feed.prod.x", "feed.staging.x", "heartbeat.prod", "heartbeat.staging", "ask.prod.x", "ask.staging.x", "journal.ledger.prod.records",
		"_SC.staging.x", "_INBOX.x", "status.staging.x", "usage.staging.x",
	}
	eachSite(t, func(s *site) {
		t := s.t
		staging := s.listen(stagingSidecar, "feed.staging.>", "heartbeat.staging", "ask.staging.>", "_SC.staging.>")
		publishers := s.listen(publisher, "feed.>", "heartbeat.*", "journal.>", "status.*.>", "usage.*.>", "_INBOX.x")
		before, attacker := s.state(), s.connect(prodSidecar)
		askWithReplies(t, s, attacker, replies, func(string) {})
		s.unchanged("some reply", before)
		for _, l := range []*listener{staging, publishers} {
			if heard := l.subjects(); len(heard) > 0 {
				t.Errorf("others hear %v", heard)
			}
		}
	})
}

func TestASidecarCannotPublish(t *testing.T) {
	t.Parallel()
	subjects := append(stored(), "feed.prod.x", "feed.staging.x", "heartbeat.prod", "heartbeat.staging", "ask.prod.x", "ask.prod.preview.x", "journal.control.records",
		"status.staging.x", "status.staging.preview.x", "usage.staging.x", "_SC.prod.peer.x", "_INBOX.x", "anything")
	eachSite(t, func(s *site) {
		t := s.t
		publishers := s.listen(publisher, "feed.>", "heartbeat.*", "journal.>", "status.*.>", "usage.*.>")
		peer := s.listen(prodPeer, "feed.prod.>", "heartbeat.prod", "ask.prod.>", "_SC.prod.>")
		before, attacker := s.state(), s.connect(prodSidecar)
		for _, subject := range subjects {
			if !refused(t, attacker, subject) {
				t.Errorf("a sidecar may publish on %s", subject)
			}
		}
		s.unchanged("a publish", before)
		if heard := append(publishers.subjects(), peer.subjects()...); len(heard) > 0 {
			t.Errorf("others hear %v", heard)
		}
	})
}

// calls are all that the JetStream API offers for a stream.
func calls(stream string) []string {
	return []string{
		"STREAM.CREATE." + stream, "STREAM.UPDATE." + stream, "STREAM.DELETE." + stream, "STREAM.PURGE." + stream, "STREAM.RESTORE." + stream,
		"STREAM.SNAPSHOT." + stream, "STREAM.MSG.DELETE." + stream, "STREAM.LEADER.STEPDOWN." + stream, "STREAM.PEER.REMOVE." + stream,
		"CONSUMER.CREATE." + stream, "CONSUMER.CREATE." + stream + ".c", "CONSUMER.CREATE." + stream + ".c.flags.>",
		"CONSUMER.DURABLE.CREATE." + stream + ".c", "CONSUMER.MSG.NEXT." + stream + ".c", "CONSUMER.DELETE." + stream + ".c",
	}
}

// reads are the calls that read a stream.
func reads(stream string) []string {
	return []string{"STREAM.INFO." + stream, "STREAM.MSG.GET." + stream, "DIRECT.GET." + stream, "DIRECT.GET." + stream + ".>", "STREAM.NAMES"}
}

// unanswered asks and reports whether no answer has come that says anything.
func unanswered(t *testing.T, c *nats.Conn, subject, body string) bool {
	t.Helper()
	msg, err := c.Request(subject, []byte(body), settled)
	return err != nil || strings.Contains(string(msg.Data), `"err_code":10039`) // JetStream is not enabled in its account
}

func TestASidecarCannotChangeStreams(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		before, attacker := s.state(), s.connect(prodSidecar)
		for stream := range strings.FieldsSeq(streams) {
			for _, call := range calls(stream) {
				for _, api := range []string{plainAPI, accountsAPI} {
					if !refused(t, attacker, api+call) {
						t.Errorf("a sidecar may ask for %s%s", api, call)
					}
				}
			}
		}
		s.unchanged("a call", before)
	})
}

func TestASidecarCannotReadAnythingElse(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		attacker := s.connect(prodSidecar)
		for _, stream := range []string{"FLAGS_staging", "SNAP_staging", "LEDGER_prod", "LEDGER_staging", "CONTROL", "PEOPLE"} {
			for _, call := range reads(stream) {
				for _, api := range []string{plainAPI, accountsAPI} {
					if !unanswered(t, attacker, api+call, `{"seq":1}`) {
						t.Errorf("a sidecar of prod gets an answer to %s%s", api, call)
					}
				}
			}
		}
		if _, err := attacker.Request(s.api+"DIRECT.GET.FLAGS_prod", []byte(`{"seq":1}`), patience); err != nil {
			t.Errorf("its own environment: %v", err)
		}
	})
}

func TestASidecarCannotHearAnythingElse(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		attacker := s.listen(prodSidecar, ">", "*", "*.*", "*.*.*", "feed.>", "feed.*.>", "feed.staging.>", "heartbeat.*", "heartbeat.staging",
			"ask.staging.>", "journal.>", "flags.>", "ledger.>", "control.>", "snap.>", "people.>", "_SC.staging.>", "_INBOX.>", "status.>",
			"usage.>", "$JS.>", "$SYS.>", "$SYS.ACCOUNT.>")
		honest := s.listen(stagingSidecar, "feed.staging.>", "heartbeat.staging")
		chief, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{URL: s.url, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), NKey: s.seeds[chiefPublisher], Logger: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		defer chief.Close()
		s.change(chief, "staging")
		speaker := s.connect(chiefPublisher)
		for _, subject := range []string{"heartbeat.staging", "ask.staging.x", "ledger.staging.records", "people.x"} {
			if err := errors.Join(speaker.Publish(subject, []byte("x")), speaker.FlushTimeout(patience)); err != nil {
				t.Fatal(err)
			}
		}
		waiting.UntilNil(t, "what the sidecar of staging may hear", func() error {
			if heard := honest.subjects(); len(heard) < 2 {
				return fmt.Errorf("it hears %v only", heard)
			}
			return nil
		})
		if heard := attacker.subjects(); len(heard) > 0 {
			t.Errorf("a sidecar of prod hears %v", heard)
		}
	})
}

// A stream that stores what sidecars report acknowledges it, and the acknowledgement goes to the reply subject: back to the sidecar.
func TestASidecarCannotWriteByAnAcknowledgement(t *testing.T) {
	t.Parallel()
	replies := append(append(stored(), destroying()...), "usage.staging.x", "status.staging.x", "feed.staging.x", "heartbeat.prod", "heartbeat.staging")
	eachSite(t, func(s *site) {
		t := s.t
		chief := s.connect(chiefPublisher)
		created, err := chief.Request("$JS.API.STREAM.CREATE.REPORTS", []byte(`{"name":"REPORTS","subjects":["usage.*.>","status.*.>"],"storage":"file"}`), patience)
		if err != nil || strings.Contains(string(created.Data), `"error"`) {
			t.Fatalf("a stream of the publishers' own: %v %s", err, created.Data)
		}
		attacker, before := s.connect(prodSidecar), s.state()
		staging := s.listen(stagingSidecar, "feed.staging.>", "heartbeat.staging", "ask.staging.>")
		publishers := s.listen(publisher, "heartbeat.*", "feed.>")
		for i, reply := range replies {
			subject := []string{"usage.prod.x", "status.prod.x"}[i%2]
			if err := errors.Join(attacker.PublishRequest(subject, reply, []byte("report")), attacker.FlushTimeout(patience)); err != nil {
				t.Fatal(err)
			}
			s.unchanged(subject+" with reply "+reply, before)
		}
		if heard := append(staging.subjects(), publishers.subjects()...); len(heard) > 0 {
			t.Errorf("others hear %v", heard)
		}
		if ack, err := attacker.Request("usage.prod.x", []byte("report"), patience); err != nil || !strings.Contains(string(ack.Data), `"stream":"REPORTS"`) {
			t.Errorf("an honest report: %v", err)
		}
		found, err := chief.Request("$JS.API.STREAM.INFO.REPORTS", nil, patience)
		if want := fmt.Sprintf(`"messages":%d,`, len(replies)+1); err != nil || !strings.Contains(string(found.Data), want) {
			t.Errorf("%v, want %s in %s", err, want, found.Data)
		}
	})
}

// publisherAttackers are the publishers that an attacker may be.
func publisherAttackers() []string { return []string{publisher, chiefPublisher} }

func TestAPublisherCannotUpdateOrDeleteAStream(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		before := s.state()
		for _, user := range publisherAttackers() {
			attacker := s.connect(user)
			for stream := range strings.FieldsSeq(streams) {
				for _, call := range calls(stream) {
					switch {
					case strings.HasPrefix(call, "STREAM.PURGE.SNAP_"), strings.HasSuffix(call, ".PEOPLE"), strings.HasPrefix(call, "STREAM.CREATE."):
						continue // which it may, see below
					}
					body := ""
					switch call {
					case "STREAM.UPDATE." + stream:
						body = s.trimmed(stream)
					case "STREAM.MSG.DELETE." + stream:
						body = `{"seq":1}`
					}
					for _, api := range []string{accountsAPI, plainAPI} {
						_, _ = attacker.Request(api+call, []byte(body), 5*time.Millisecond) // mostly refused, which looks like silence
					}
				}
			}
			s.unchanged("a call of the "+user, before)
		}
	})
}

// The stream that is named exists, so that to create it with other settings is refused.
func TestAPublisherCannotCreateAStreamAnew(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		before := s.state()
		for _, user := range publisherAttackers() {
			attacker := s.connect(user)
			for stream := range strings.FieldsSeq(streams) {
				body := fmt.Sprintf(`{"name":%q,"subjects":["other.>"],"storage":"file","max_msgs":1}`, stream)
				if answer, err := attacker.Request(s.api+"STREAM.CREATE."+stream, []byte(body), patience); err != nil || !strings.Contains(string(answer.Data), `"err_code":10058`) {
					t.Errorf("%s: %v", stream, err)
				}
			}
			s.unchanged("a call of the "+user, before)
		}
	})
}

func TestAPublisherCannotDestroyByReply(t *testing.T) {
	t.Parallel()
	// What it may do itself proves nothing.
	replies := slices.DeleteFunc(destroying(), func(s string) bool { return strings.Contains(s, "STREAM.PURGE.") })
	replies = append(replies, plainAPI+"STREAM.UPDATE.LEDGER_prod", plainAPI+"STREAM.PURGE.LEDGER_prod", plainAPI+"STREAM.PURGE.SNAP_prod",
		plainAPI+"STREAM.PURGE.PEOPLE")
	eachSite(t, func(s *site) {
		t := s.t
		before := s.state()
		for _, user := range publisherAttackers() {
			askWithReplies(t, s, s.connect(user), replies, func(what string) { s.unchanged(user+": "+what, before) })
		}
	})
}

func TestAPublisherCannotForgeTheFeed(t *testing.T) {
	t.Parallel()
	subjects := []string{"feed.prod.x", "feed.staging.x", "journal.ledger.prod.records", "journal.control.records"}
	eachSite(t, func(s *site) {
		t := s.t
		sidecar := s.listen(prodPeer, "feed.prod.>", "heartbeat.prod", "ask.prod.>")
		for _, user := range publisherAttackers() {
			attacker := s.connect(user)
			for _, subject := range subjects {
				if !refused(t, attacker, subject) {
					t.Errorf("the %s may publish on %s", user, subject)
				}
			}
			askWithReplies(t, s, attacker, append(subjects, "heartbeat.prod", "ask.prod.x"), func(string) {})
		}
		time.Sleep(settled)
		if heard := sidecar.subjects(); len(heard) > 0 {
			t.Errorf("a sidecar hears %v", heard)
		}
	})
}

// republishing is a stream that makes the server repeat a message wherever its creator wishes.
func republishing(stream, subject, destination string) string {
	return fmt.Sprintf(`{"name":%q,"subjects":[%q],"storage":"file","republish":{"src":%q,"dest":%q}}`, stream, subject, subject, destination)
}

// A stream that the server repeats on the subject of a request makes it do what is asked there. Publishers can create only the streams of
// environments that exist.
func TestAPublisherCannotDestroyByRepublishing(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		sidecar, before := s.listen(prodPeer, "feed.prod.>"), s.state()
		for _, user := range publisherAttackers() {
			attacker := s.connect(user)
			for _, destination := range append(destroying(), "feed.prod.x", "flags.prod.x", "journal.control.records") {
				for stream := range strings.FieldsSeq(evil) {
					_, _ = attacker.Request(s.api+"STREAM.CREATE."+stream, []byte(republishing(stream, "flags.evil.x", destination)), 5*time.Millisecond)
				}
				if err := errors.Join(attacker.Publish("flags.evil.x", nil), attacker.FlushTimeout(patience)); err != nil {
					t.Fatal(err)
				}
				s.unchanged(user+": republishing on "+destination, before)
			}
		}
		if heard := sidecar.subjects(); len(heard) > 0 {
			t.Errorf("a sidecar hears %v", heard)
		}
	})
}

// Publishers have a JetStream of their own, which acts with the rights of their account and not with those of a user.
func TestAPublisherCannotDestroyByAStreamOfItsOwn(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		before := s.shape()
		for i, destination := range append(destroying(), accountsAPI+"STREAM.UPDATE.LEDGER_prod", accountsAPI+"STREAM.PURGE.LEDGER_prod",
			accountsAPI+"STREAM.CREATE.EVIL", accountsAPI+"CONSUMER.CREATE.CONTROL") {
			if strings.HasPrefix(destination, accountsAPI+"STREAM.PURGE.SNAP") || destination == accountsAPI+"STREAM.PURGE.PEOPLE" {
				continue // which it may do itself
			}
			attacker, name := s.connect(publisher), fmt.Sprint("OWN", i)
			subject := fmt.Sprintf("heartbeat.own%d", i)
			created, err := attacker.Request(plainAPI+"STREAM.CREATE."+name, []byte(republishing(name, subject, destination)), patience)
			if err != nil || strings.Contains(string(created.Data), `"error"`) {
				t.Fatalf("a stream of its own: %v %s", err, created.Data)
			}
			for _, body := range []string{"", republishing("EVIL", "flags.evil.x", plainAPI+"STREAM.DELETE.LEDGER_prod"), s.trimmed("LEDGER_prod")} {
				if _, err := attacker.Request(subject, []byte(body), patience); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(settled)
			if diff := cmp.Diff(before, s.shape()); diff != "" {
				t.Errorf("a stream of its own that is republished on %s has an effect (-before +after):\n%s", destination, diff)
			}
		}
	})
}

// What stands in a stream is chosen by a publisher, and an answer goes where the reply says: to the subject of another request.
func TestAPublisherCannotAskByReply(t *testing.T) {
	t.Parallel()
	eachSite(t, func(s *site) {
		t := s.t
		attacker := s.connect(publisher)
		for _, body := range []string{republishing("EVIL", "flags.evil.x", plainAPI+"STREAM.DELETE.LEDGER_prod"), s.trimmed("LEDGER_prod"), ""} {
			if _, err := attacker.Request("flags.prod.evil", []byte(body), patience); err != nil {
				t.Fatal(err)
			}
			before := s.shape()
			for _, call := range []string{"STREAM.CREATE.EVIL", "STREAM.CREATE.FLAGS_evil", "STREAM.UPDATE.LEDGER_prod", "STREAM.PURGE.LEDGER_prod", "STREAM.DELETE.LEDGER_prod"} {
				for _, api := range []string{plainAPI, accountsAPI} {
					question := `{"last_by_subj":"flags.prod.evil"}`
					if err := errors.Join(attacker.PublishRequest(s.api+"DIRECT.GET.FLAGS_prod", api+call, []byte(question)), attacker.FlushTimeout(patience)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(settled)
					if diff := cmp.Diff(before, s.shape()); diff != "" {
						t.Errorf("a read with reply %s%s has an effect (-before +after):\n%s", api, call, diff)
					}
				}
			}
		}
	})
}

// On this machine, without a file of users, a client is a sidecar of the environment that it names, and nothing more.
func TestALocalProcessIsASidecarAtMost(t *testing.T) {
	t.Parallel()
	_, seeds := newUsers(t)
	users := t.TempDir() + "/users.json" // not there yet
	s := startEmbedded(t, natsserver.Options{UsersFile: users, UsersOptional: true})
	name, password := s.User()
	own, err := flagsync.Connect(t.Context(), flagsync.ConnectOptions{Server: s, Keyring: trusttest.Default().PublisherKeyring(), Signer: trusttest.Default().Signer(), User: name, Password: password, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(own.Close)
	environments, err := writer.OpenEnvironments(t.Context(), own, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prod", "staging"} {
		if err := s.AllowEnvironment(name); err != nil {
			t.Fatal(err)
		}
		if _, err := environments.Create(t.Context(), name, writer.Order{Actor: "tester"}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := nats.NkeyOptionFromSeed(seeds[publisher])
	if err != nil {
		t.Fatal(err)
	}
	for what, options := range map[string][]nats.Option{
		"no user name":             nil,
		"no environment":           {nats.UserInfo("No Environment", "")},
		"a wildcard":               {nats.UserInfo("*", "")},
		"a password":               {nats.UserInfo("prod", "guess")},
		"a token":                  {nats.Token("prod")},
		"the own publisher":        {nats.UserInfo(name, password)}, // which is in this process
		"the own publisher's name": {nats.UserInfo(name, "")},
		"an unknown NKey":          {key},
	} {
		if c, err := nats.Connect(s.ClientURL(), options...); err == nil {
			c.Close()
			t.Errorf("%s is let in", what)
		}
	}
	attacker := connect(t, s.ClientURL(), nats.UserInfo("prod", ""), nats.CustomInboxPrefix("_SC.prod.x"))
	if _, err := attacker.Request(accountsAPI+"STREAM.MSG.GET.FLAGS_prod", []byte(`{"seq":1}`), patience); err != nil {
		t.Errorf("its environment: %v", err)
	}
	before, err := environments.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range append(append(stored(), destroying()...), "feed.prod.x", "heartbeat.prod", accountsAPI+"STREAM.INFO.FLAGS_staging") {
		if !refused(t, attacker, subject) {
			t.Errorf("a local process may publish on %s", subject)
		}
	}
	for _, reply := range append(stored(), destroying()...) {
		if err := errors.Join(attacker.PublishRequest(accountsAPI+"DIRECT.GET.FLAGS_prod", reply, nil), attacker.FlushTimeout(patience)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(settled)
	if after, err := environments.List(t.Context()); err != nil || len(after) != len(before) {
		t.Errorf("the environments are %v afterwards, %v", after, err)
	}
	for _, name := range []string{"prod", "staging"} {
		log, err := writer.OpenLog(t.Context(), own, writer.LogOptions{Environment: name, Replicas: 1})
		if err != nil {
			t.Fatal(err)
		}
		if head, err := log.Head(t.Context()); err != nil || head.Revision != 2 {
			t.Errorf("the log of %s ends at %d: %v", name, head.Revision, err)
		}
	}
}

func TestALocalProcessNeedsCredentialsOnceThereAreUsers(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	for _, options := range [][]nats.Option{nil, {nats.UserInfo("prod", "")}, {nats.UserInfo(prodSidecar, "")}} {
		if c, err := nats.Connect(s.url, options...); err == nil {
			c.Close()
			t.Error("a client without credentials is let in")
		}
	}
}

// The same attacks against a server without accounts, where permissions alone stand against them: they are real.
func TestWithoutAccountsTheAttacksSucceed(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(s *site){
		"a sidecar deletes a stream by reply": func(s *site) {
			publishRequest(s, prodSidecar, "DIRECT.GET.FLAGS_prod", plainAPI+"STREAM.DELETE.FLAGS_staging")
		},
		"a sidecar purges snapshots by reply": func(s *site) {
			publishRequest(s, prodSidecar, "DIRECT.GET.FLAGS_prod", plainAPI+"STREAM.PURGE.SNAP_prod")
		},
		"a sidecar writes by reply": func(s *site) {
			publishRequest(s, prodSidecar, "STREAM.INFO.FLAGS_prod", "flags.staging.x")
		},
		"a publisher deletes a stream by reply": func(s *site) {
			publishRequest(s, publisher, "DIRECT.GET.FLAGS_prod", plainAPI+"STREAM.DELETE.LEDGER_prod")
		},
		"a publisher deletes a stream by republishing": func(s *site) {
			c := s.connect(publisher)
			s.ask(c, "STREAM.CREATE.EVIL", map[string]any{
				"name": "EVIL", "subjects": []string{"flags.evil.x"}, "storage": "file",
				"republish": map[string]any{"src": "flags.evil.x", "dest": plainAPI + "STREAM.DELETE.LEDGER_prod"},
			})
			if err := errors.Join(c.Publish("flags.evil.x", nil), c.FlushTimeout(patience)); err != nil {
				s.t.Fatal(err)
			}
		},
		"a publisher trims a ledger": func(s *site) {
			if _, err := s.connect(publisher).Request(plainAPI+"STREAM.UPDATE.LEDGER_prod", []byte(s.trimmed("LEDGER_prod")), patience); err != nil {
				s.t.Fatal(err)
			}
		},
		"a publisher creates a stream by reply": func(s *site) {
			c := s.connect(publisher)
			if _, err := c.Request("flags.prod.evil", []byte(republishing("EVIL", "flags.evil.x", "x")), patience); err != nil {
				s.t.Fatal(err)
			}
			question := []byte(`{"last_by_subj":"flags.prod.evil"}`)
			if err := errors.Join(c.PublishRequest(plainAPI+"DIRECT.GET.FLAGS_prod", plainAPI+"STREAM.CREATE.EVIL", question), c.FlushTimeout(patience)); err != nil {
				s.t.Fatal(err)
			}
			time.Sleep(settled)
			if s.state()["EVIL"] == "gone" {
				s.t.Error("there is no such stream, so that the tests prove nothing")
			}
		},
		"a sidecar writes by an acknowledgement": func(s *site) {
			s.ask(s.connect(chiefPublisher), "STREAM.CREATE.REPORTS", map[string]any{"name": "REPORTS", "subjects": []string{"usage.>"}, "storage": "file"})
			c := s.connect(prodSidecar)
			if err := errors.Join(c.PublishRequest("usage.prod.x", "flags.staging.x", []byte("report")), c.FlushTimeout(patience)); err != nil {
				s.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := unprotected(t)
			before := s.state()
			attack(s)
			if s.difference(before) == "" {
				t.Error("it has no effect, so that the tests prove nothing")
			}
		})
	}
}

func publishRequest(s *site, user, call, reply string) {
	s.t.Helper()
	c := s.connect(user)
	if err := errors.Join(c.PublishRequest(s.api+call, reply, nil), c.FlushTimeout(patience)); err != nil {
		s.t.Fatal(err)
	}
}
