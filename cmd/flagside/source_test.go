package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/internal/kubernetes"
	"github.com/flagside/flagside/internal/kubernetestest"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/publisher"
	"github.com/flagside/flagside/internal/publisher/following"
	"github.com/flagside/flagside/internal/sidecar"
	"github.com/flagside/flagside/internal/waiting"
)

// described is a flag file, in JSON, whose flag has a text as its value.
func described(text string) string {
	return fmt.Sprintf(`{"flags":{"f":{"state":"ENABLED","variants":{"on":%q},"defaultVariant":"on"}}}`, text)
}

// An edit of a file and one of an object reach an application that asks a sidecar. How long that takes is printed, and is no condition.
func TestASourceReachesASidecar(t *testing.T) {
	t.Parallel()
	server, dir := kubernetestest.Start(t, "shop"), t.TempDir()
	flags := kubernetes.Resource{Group: "core.openfeature.dev", Version: "v1beta1", Plural: "featureflags", Namespace: "shop"}
	p, err := publisher.New(publisher.Options{
		DataDir: t.TempDir(), AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", Kubernetes: server.Options(), Logger: zerolog.Nop(),
		Sources: []following.Spec{{Environment: "objects", Namespace: "shop"}, {Environment: "files", Path: dir}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	wg.Go(func() { _ = p.Run(ctx) })
	ready, stop := context.WithTimeout(t.Context(), waiting.Patience)
	defer stop()
	if err := p.Ready(ready); err != nil {
		t.Fatal(err)
	}
	edits := map[string]func(string){
		"objects": func(text string) { server.PutObject(t, flags, "f", `{"flagSpec":`+described(text)+`}`) },
		"files": func(text string) {
			name := filepath.Join(dir, "flags.json")
			if err := os.WriteFile(name+"~", []byte(described(text)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(name+"~", name); err != nil {
				t.Fatal(err)
			}
		},
	}
	for environment, edit := range edits {
		if _, err := p.Create(ready, environment, "test", ""); err != nil {
			t.Fatal(err)
		}
		s, err := sidecar.New(sidecar.Options{
			Environment: environment, Server: p, Trust: p.Trust(), OFREPAddr: "127.0.0.1:0", FlagdAddr: listen.Off, FlagdSyncAddr: listen.Off, ManagementAddr: "127.0.0.1:0",
			Logger: zerolog.Nop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = s.Run(ctx) })
		var took []time.Duration
		for i := range 11 {
			text, begun := fmt.Sprintf("text %d", i), time.Now()
			edit(text)
			waiting.Until(t, environment+" "+text, func() bool { return strings.Contains(evaluated(t, s.OFREPAddr().String()), `"`+text+`"`) })
			took = append(took, time.Since(begun))
		}
		took = took[1:] // the first also makes the flag, and connects
		slices.Sort(took)
		t.Logf("%s: from the edit to the answer of a sidecar: median %v, longest %v", environment, took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	}
}

// evaluated returns the answer of a sidecar for the flag f.
func evaluated(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/ofrep/v1/evaluate/flags/f", strings.NewReader(`{"context":{"targetingKey":"u"}}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var text strings.Builder
	if err := response.Write(&text); err != nil {
		return ""
	}
	return text.String()
}
