// Package columns writes rows of usage as Parquet files.
package columns

import (
	"bytes"
	"fmt"

	"github.com/parquet-go/parquet-go"
)

// rowGroup is how many rows a group has: a reader and a writer have as many in memory.
const rowGroup = 32 << 10

// creator is what files say about who wrote them. It has no version of ours, so that the same rows make the same bytes.
const creator = "flagside"

// File returns a Parquet file of rows, compressed. The same rows make the same bytes.
func File[T any](rows []T) ([]byte, error) {
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rowGroup), parquet.CreatedBy(creator, "", ""))
	if _, err := w.Write(rows); err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("parquet: %w", err)
	}
	return out.Bytes(), nil
}
