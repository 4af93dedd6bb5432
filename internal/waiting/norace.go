//go:build !race

package waiting

const computing = false
