package answering

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flagside/flagside/document"
	wire "github.com/flagside/flagside/sync/preview"
)

// largest returns the documents of the largest question: flags with a rule each, as many and as large as a message holds.
func largest(flags int) (all []wire.Document) {
	size := base64.StdEncoding.DecodedLen(wire.MaxQuestion)/flags - 300
	for i := range flags {
		var rule strings.Builder
		rule.WriteString(`{"if":[`)
		for j := 0; rule.Len() < size-100; j++ {
			fmt.Fprintf(&rule, `{"==":[{"var":"a%d"},"x%d"]},"on",`, j%50, j)
		}
		rule.WriteString(`"off"]}`)
		body := `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":` + rule.String() + `}`
		key := fmt.Sprint("flag-", i)
		if i == 0 {
			key = "checkout"
		}
		all = append(all, wire.Document{Kind: document.KindFlag, Key: key, Body: []byte(body)})
	}
	return all
}

// BenchmarkLargestQuestion is what a question costs that no budget interrupts: to verify, to decode, and to compile.
func BenchmarkLargestQuestion(b *testing.B) {
	for _, flags := range []int{1, 20, 500} {
		b.Run(fmt.Sprint(flags), func(b *testing.B) {
			p := newPlace(b)
			q := p.question(offFlag)
			q.Documents = largest(flags)
			data, signature, err := wire.NewQuestion(p.keys.Signer(), environment, q)
			if err != nil {
				b.Fatal(err)
			}
			var compiled time.Duration
			for b.Loop() {
				read, err := wire.ReadQuestion(p.options.Keyring, environment, data, signature)
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if _, err := newComparison(p.view, &read); err != nil {
					b.Fatal(err)
				}
				compiled += time.Since(began)
			}
			b.ReportMetric(float64(compiled.Microseconds())/1000/float64(b.N), "compile-ms")
			b.ReportMetric(float64(len(data)), "bytes")
		})
	}
}
