package sidecar_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/faultdisk"
	"github.com/flagside/flagside/internal/faultnet"
	"github.com/flagside/flagside/internal/natstest"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/trusttest"
	"github.com/flagside/flagside/internal/waiting"
	"github.com/flagside/flagside/sync/writer"
)

// The flags of a place, by what they demand. All answer the same number.
const (
	cached  = "cached"  // nothing
	bounded = "bounded" // to be no older than three seconds
	fresh   = "fresh"   // to be confirmed, or stale
	strict  = "strict"  // to be confirmed, or an error
)

// demanding returns the documents of the flags with a number.
func demanding(n int) map[string]string {
	plain := strings.TrimSuffix(flag(n), "}")
	return map[string]string{
		cached:  plain + `}`,
		bounded: plain + `,"maxStaleness":"3s"}`,
		fresh:   plain + `,"freshness":"always_fresh"}`,
		strict:  plain + `,"freshness":"always_fresh","onUnreachable":"error"}`,
	}
}

// place is a server, a publisher beside it, and a sidecar behind a network that can be broken.
type place struct {
	t             *testing.T
	server        *natstest.Server
	network       *faultnet.Proxy
	publisher     *publisher
	stopPublisher func()
	options       sidecar.Options
	disk          *faultdisk.Disk // nil unless the data directory is one
	sidecar       *running
	lived         bool // a sidecar was live before
}

// newPlace has a log whose flags answer 1, and no sidecar yet.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, server: natstest.Start(t)}
	p.network = faultnet.Start(t, strings.TrimPrefix(p.server.URL(), "nats://"))
	p.publisher, p.stopPublisher = publish(t, p.server)
	p.publisher.put(demanding(1))
	p.options = options("nats://" + p.network.Addr())
	p.options.DataDir = t.TempDir()
	p.options.FreshnessDeadline = shortDeadline
	return p
}

// shortDeadline is how long an answer of these tests may wait for the log: shorter than the usual second, to be tested sooner.
const shortDeadline = 300 * time.Millisecond

// start runs a sidecar until the test ends it.
func (p *place) start() {
	p.t.Helper()
	p.sidecar = start(p.t, p.options)
	waiting.Until(p.t, "evaluations", func() bool { return p.sidecar.listens() })
}

// listens reports whether evaluations are answered, with whatever.
func (r *running) listens() bool {
	_, _, err := r.request("POST", "http://"+r.OFREPAddr().String()+"/ofrep/v1/evaluate/flags/"+cached, `{}`)
	return err == nil
}

// startLive runs a sidecar that becomes live.
func (p *place) startLive() {
	p.t.Helper()
	p.start()
	p.awaitServing("live")
	p.sidecar.awaitValue(cached, 1.0)
	p.lived = true
}

func (p *place) serving() string {
	serving, _ := p.sidecar.status()["serving"].(map[string]any)
	state, _ := serving["state"].(string)
	return state
}

func (p *place) awaitServing(want string) {
	p.t.Helper()
	waiting.Until(p.t, "the serving state "+want, func() bool { return p.serving() == want })
}

func (p *place) awaitCondition(code string) {
	p.t.Helper()
	waiting.Until(p.t, "the condition "+code, func() bool { return slices.Contains(p.sidecar.conditions(), code) })
}

// reason asks for a flag and returns the reason of the answer, or its error code.
func (p *place) reason(key string) string {
	p.t.Helper()
	_, answer := p.sidecar.evaluate(key)
	if code, failed := answer["errorCode"].(string); failed {
		return code
	}
	reason, _ := answer["reason"].(string)
	return reason
}

// blackHole swallows everything, and tells no one, until it is turned off. The connections of that time never work again.
func (p *place) blackHole(on bool) {
	var rule faultnet.Rule
	if on {
		rule.Action = faultnet.Drop
	}
	p.network.Set(faultnet.Faults{ToServer: rule, ToClient: rule})
}

// stopServer makes the server refuse connections.
func (p *place) stopServer() { p.server.Stop(p.t) }

func (p *place) startServer() { p.server.Restart(p.t) }

// api asks the server for something that JetStream can do.
func (p *place) api(call string, body any) map[string]any {
	p.t.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	client := p.server.Client(p.t)
	defer client.Close()
	reply, err := client.Request("$JS.API."+call, data, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(reply.Data, &answer); err != nil || answer["error"] != nil {
		p.t.Fatalf("%s: %v, %s", call, err, reply.Data)
	}
	return answer
}

// loseFeed makes changes reach no one by themselves, or again.
func (p *place) loseFeed(lose bool) {
	p.t.Helper()
	config, _ := p.api("STREAM.INFO.FLAGS_"+environment, nil)["config"].(map[string]any)
	delete(config, "republish")
	if !lose {
		config["republish"] = map[string]string{"src": "flags." + environment + ".>", "dest": "feed." + environment + ".>"}
	}
	p.api("STREAM.UPDATE.FLAGS_"+environment, config)
}

// loseStream deletes the log.
func (p *place) loseStream() { p.api("STREAM.DELETE.FLAGS_"+environment, nil) }

// recreate writes the flags as a new epoch of the log, as an operator decides, and follows it.
func (p *place) recreate() {
	p.t.Helper()
	conn := connectPublisher(p.t, p.server.URL(), trusttest.Default())
	defer conn.Close()
	environments, err := writer.OpenEnvironments(p.t.Context(), conn, 1)
	if err != nil {
		p.t.Fatal(err)
	}
	var documents []document.Document
	for key, body := range demanding(1) {
		documents = append(documents, document.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)})
	}
	renewal := writer.NewEpoch{OpID: "recreate", Actor: "tester", Time: time.Unix(2, 0), Documents: slices.Values(documents), Count: len(documents)}
	if _, err := environments.Recreate(p.t.Context(), environment, renewal); err != nil {
		p.t.Fatal(err)
	}
	p.renewPublisher()
}

// renewPublisher starts a publisher in the place of the one before.
func (p *place) renewPublisher() {
	p.t.Helper()
	p.stopPublisher()
	p.publisher, p.stopPublisher = publish(p.t, p.server)
}

// corruptDisk writes over everything that is kept, or puts there what no sidecar has written.
func (p *place) corruptDisk() {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.options.DataDir, environment+".*"))
	if err != nil {
		p.t.Fatal(err)
	}
	if !p.lived {
		files = []string{filepath.Join(p.options.DataDir, environment+".snapshot"), filepath.Join(p.options.DataDir, environment+".tail")}
	}
	corrupted := 0
	for _, file := range files {
		info, err := os.Stat(file)
		size := 100
		if err == nil {
			size = int(info.Size())
		}
		if size == 0 {
			continue // the lock, which holds nothing
		}
		if err := os.WriteFile(file, []byte(strings.Repeat("?", size)), 0o600); err != nil {
			p.t.Fatal(err)
		}
		corrupted++
	}
	if p.sidecar == nil && corrupted == 0 {
		p.t.Fatal("there was nothing to corrupt")
	}
}

// loseDisk makes the data directory one that nothing can be read from or written to.
func (p *place) loseDisk() {
	p.t.Helper()
	if err := os.RemoveAll(p.options.DataDir); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.options.DataDir, nil, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.changeMuch()
}

// changeMuch makes so many changes that they are not only appended to what is open, but that it is written anew.
func (p *place) changeMuch() {
	p.t.Helper()
	for n := range 3 {
		filler := strings.Repeat("x", 400<<10+n)
		p.publisher.put(map[string]string{"filler": strings.TrimSuffix(flag(0), "}") + `,"metadata":{"filler":"` + filler + `"}}`})
	}
}

// findDisk undoes loseDisk.
func (p *place) findDisk() {
	p.t.Helper()
	if err := os.Remove(p.options.DataDir); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Mkdir(p.options.DataDir, 0o700); err != nil {
		p.t.Fatal(err)
	}
}

// smallDisk gives the sidecar a disk of its own, if that can be had.
func (p *place) smallDisk() {
	p.t.Helper()
	disk, err := faultdisk.Mount(p.t, 4<<20)
	if err != nil {
		p.t.Logf("no small file system can be mounted here, so only files that are begun find no room: %v", err)
		return
	}
	p.disk, p.options.DataDir = disk, disk.Dir()
}

// fillDisk leaves no room for what is written next.
func (p *place) fillDisk() {
	p.t.Helper()
	snapshot := filepath.Join(p.options.DataDir, environment+".snapshot")
	if p.lived {
		waiting.Until(p.t, "the first snapshot on disk", func() bool {
			_, err := os.Stat(snapshot)
			return err == nil
		})
	}
	if p.disk != nil {
		p.disk.Fill(p.t, 0)
	} else if err := os.Symlink(faultdisk.Full, snapshot+".new"); err != nil {
		p.t.Fatal(err)
	}
	p.changeMuch()
}

// freeDisk undoes fillDisk. A file that could not be written is gone by then, and those before it are as good as ever.
func (p *place) freeDisk() {
	p.t.Helper()
	_, status := p.sidecar.get("/status")
	if !strings.Contains(status, syscall.ENOSPC.Error()) {
		p.t.Errorf("the status does not say that there is no room: %s", status)
	}
	if p.lived {
		p.wantStored(1.0)
	}
	if p.disk != nil {
		p.disk.Free(p.t)
	}
}

// wantStored fails the test unless another sidecar can answer from a copy of the files.
func (p *place) wantStored(value any) {
	p.t.Helper()
	o := p.options
	o.NATS, o.DataDir = "nats://127.0.0.1:1", p.t.TempDir()
	if err := os.CopyFS(o.DataDir, os.DirFS(p.options.DataDir)); err != nil {
		p.t.Fatal(err)
	}
	other := start(p.t, o)
	defer other.stop()
	waiting.Until(p.t, "evaluations from a copy of the files", other.listens)
	other.want(cached, value)
	if conditions := other.conditions(); slices.Contains(conditions, "disk-quarantined") {
		p.t.Errorf("from a copy of the files: %v", conditions)
	}
}
