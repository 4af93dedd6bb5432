package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// Publisher is a running publisher and where it listens.
type Publisher struct {
	*Process
	Admin string // host:port of the admin API
	NATS  string // host:port of the server for sidecars, or several separated by commas
	// TokenFile has the token that requests are made with; empty means none.
	TokenFile string

	mu     sync.Mutex
	client *client.Client // nil until it is asked for
}

// StartPublisher runs "publisher serve" with an embedded server over dataDir
// and waits until its API answers.
func (b Binaries) StartPublisher(ctx context.Context, dataDir, admin, nats string) (*Publisher, error) {
	return b.StartPublisherWith(ctx, admin, nats, "--data-dir", dataDir, "--nats-addr", nats)
}

// StartPublisherWith runs "publisher serve" with options that say where its log is, and waits until its API answers.
func (b Binaries) StartPublisherWith(ctx context.Context, admin, nats string, options ...string) (*Publisher, error) {
	args, err := b.serveArguments()
	if err != nil {
		return nil, err
	}
	p, err := Start(b.Publisher, slices.Concat([]string{"serve", "--admin-addr", admin}, options, args)...)
	if err != nil {
		return nil, err
	}
	return &Publisher{Process: p, Admin: admin, NATS: nats, TokenFile: b.tokenFile()}, p.await(ctx, "http://"+admin+"/readyz")
}

// StartPublisherOn runs "publisher serve" over a cluster, with as many replicas
// as it has servers, and waits until its API answers.
func (b Binaries) StartPublisherOn(ctx context.Context, c *Cluster, admin string) (*Publisher, error) {
	return b.startPublisherAt(ctx, c, c.Addresses(), admin)
}

// StartPublisherAt does the same, but reaches the cluster through one server
// only.
func (b Binaries) StartPublisherAt(ctx context.Context, c *Cluster, n *Node, admin string) (*Publisher, error) {
	return b.startPublisherAt(ctx, c, n.Client, admin)
}

func (b Binaries) startPublisherAt(ctx context.Context, c *Cluster, nats, admin string) (*Publisher, error) {
	return b.StartPublisherWith(ctx, admin, nats, "--nats", natsURL(nats), "--replicas", strconv.Itoa(len(c.Nodes)))
}

// CreateEnvironment makes an environment by the command line, as a person would: again while the servers of a new cluster do not know each other
// yet, which the command calls unreachable.
func (b Binaries) CreateEnvironment(ctx context.Context, admin, name string) error {
	for {
		p, err := Start(b.Flagside, "environment", "create", name, "--admin", "http://"+admin, "--token-file", b.tokenFile())
		if err != nil {
			return err
		}
		select {
		case <-p.Done():
		case <-ctx.Done():
			p.Kill()
		}
		if p.err == nil {
			return nil
		}
		var exit *exec.ExitError
		if ctx.Err() != nil || !errors.As(p.err, &exit) || exit.ExitCode() != exitUnavailable {
			return fmt.Errorf("create environment %s: %w\n%s", name, p.err, p.Output())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// exitUnavailable is the exit code of a command that could not reach the publisher or the log, and may be repeated.
const exitUnavailable = 8

// PutFlag writes a flag document, of which the revision is what it must have; empty means that the flag must not exist yet. It returns the new
// revision.
func (p *Publisher) PutFlag(ctx context.Context, environment, key, revision string, body []byte) (written string, err error) {
	seen := client.Precondition{Absent: true}
	if revision != "" {
		if seen, err = client.Match(revision); err != nil {
			return "", err
		}
	}
	c, err := p.API()
	if err != nil {
		return "", err
	}
	_, now, err := c.Put(ctx, environment, flagID(key), body, seen, api.ChangeHeaders{})
	if err != nil {
		return "", fmt.Errorf("put flag %s: %w", key, err)
	}
	return now.Revision(), nil
}

// FlagRevision returns the revision of a flag, as the publisher has it now.
func (p *Publisher) FlagRevision(ctx context.Context, environment, key string) (string, error) {
	c, err := p.API()
	if err != nil {
		return "", err
	}
	_, seen, err := c.Document(ctx, environment, flagID(key))
	return seen.Revision(), err
}

// History returns the last thousand changes of a flag, newest first.
func (p *Publisher) History(ctx context.Context, environment, key string) ([]api.DocumentChange, error) {
	c, err := p.API()
	if err != nil {
		return nil, err
	}
	history, err := c.History(ctx, environment, flagID(key), api.HistoryQuery{Limit: 1000})
	return history.Items, err
}

// API returns the client of the publisher, with the token that its file had at first.
func (p *Publisher) API() (*client.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		return p.client, nil
	}
	var token []byte
	if p.TokenFile != "" {
		var err error
		if token, err = os.ReadFile(p.TokenFile); err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
	}
	var err error
	p.client, err = client.New(client.Options{Address: "http://" + p.Admin, Token: strings.TrimSpace(string(token))})
	return p.client, err
}

func flagID(key string) document.ID { return document.ID{Kind: document.KindFlag, Key: key} }

// Sidecar is a running sidecar and where it listens.
type Sidecar struct {
	*Process
	OFREP      string // host:port of evaluations
	Management string // host:port of health and metrics
}

// natsURL returns the URL of servers, host:port and separated by commas.
func natsURL(addresses string) string {
	return "nats://" + strings.ReplaceAll(addresses, ",", ",nats://")
}

// StartSidecar runs a sidecar and does not wait for anything.
func (b Binaries) StartSidecar(environment, nats, dataDir, ofrep, management string, more ...string) (*Sidecar, error) {
	args := []string{
		"--environment", environment, "--nats", natsURL(nats), "--trust-file", b.trustFile(),
		"--ofrep-addr", ofrep, "--management-addr", management, "--flagd-addr", "off", "--flagd-sync-addr", "off",
	}
	if dataDir != "" {
		args = append(args, "--data-dir", dataDir)
	}
	p, err := Start(b.Sidecar, append(args, more...)...)
	if err != nil {
		return nil, err
	}
	return &Sidecar{Process: p, OFREP: ofrep, Management: management}, nil
}

// AwaitReady waits until /readyz answers 200.
func (s *Sidecar) AwaitReady(ctx context.Context) error {
	return s.await(ctx, "http://"+s.Management+"/readyz")
}

// AwaitFlags waits until the sidecar serves so many flags.
func (s *Sidecar) AwaitFlags(ctx context.Context, want int) error {
	for {
		status, err := s.Status(ctx)
		if err != nil {
			return err
		}
		if have, ok := status["flags"].(float64); ok && int(have) == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the sidecar has %v of %d flags: %w", status["flags"], want, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Answer is what a sidecar says about a flag.
type Answer struct {
	HTTPStatus int             `json:"-"`
	Key        string          `json:"key"`
	Value      json.RawMessage `json:"value"`
	Variant    string          `json:"variant"`
	Reason     string          `json:"reason"`
	ErrorCode  string          `json:"errorCode"`
	Metadata   map[string]any  `json:"metadata"`
}

// Evaluate asks for one flag over OFREP.
func (s *Sidecar) Evaluate(ctx context.Context, key, evaluationContext string) (Answer, error) {
	target := fmt.Sprintf("http://%s/ofrep/v1/evaluate/flags/%s", s.OFREP, url.PathEscape(key))
	body := bytes.NewBufferString(`{"context":` + evaluationContext + `}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return Answer{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := Answer{HTTPStatus: res.StatusCode}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("answer for %s: %w", key, err)
	}
	return a, nil
}

// Status decodes /status.
func (s *Sidecar) Status(ctx context.Context) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Management+"/status", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var status map[string]any
	return status, json.NewDecoder(res.Body).Decode(&status)
}

// Await calls condition until it holds, every 2 ms, and fails with ctx.
func Await(ctx context.Context, what string, condition func() bool) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}

func (p *Process) await(ctx context.Context, target string) error {
	err := Await(ctx, "waiting for "+target, func() bool {
		select {
		case <-p.done:
			return true
		default:
			return answersOK(ctx, target)
		}
	})
	select {
	case <-p.done:
		return fmt.Errorf("%s ended: %w\n%s", p.Name, p.err, p.Output())
	default:
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, p.Output())
	}
	return nil
}

func answersOK(ctx context.Context, target string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
