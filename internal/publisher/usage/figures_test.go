package usage_test

import (
	"fmt"
	"testing"

	"github.com/flagside/flagside/internal/publisher/usage"
)

// BenchmarkSegment tells what it costs to write a segment, and how large it is.
func BenchmarkSegment(b *testing.B) {
	for _, series := range []int{1_000, usage.MaxSeries} {
		b.Run(fmt.Sprint(series), func(b *testing.B) {
			codec, err := usage.NewCodec()
			if err != nil {
				b.Fatal(err)
			}
			s := usage.NewSegment()
			for i := range series {
				s.Series[usage.Series{
					Flag: fmt.Sprintf("team-%d.feature-%d", i%7, i/20), Revision: fmt.Sprint("1f0c9a7e-", i%97), Variant: []string{"on", "off"}[i%2],
					Reason: "TARGETING_MATCH", Rule: i % 3, Application: fmt.Sprint("shop-", i/2%10), Release: fmt.Sprint("1.2.", i%3),
				}] = uint64(i*7919%100_003) + 1
			}
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				chunks, err := codec.Segment(s, 1)
				if err != nil {
					b.Fatal(err)
				}
				size = 0
				for _, chunk := range chunks {
					size += len(chunk)
				}
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
