package cli

import "github.com/aymanbagabas/go-udiff"

// difference returns what differs as a unified diff, which patch and editors read; nothing if nothing does.
func difference(before, after side) string {
	return udiff.Unified(printable(before.name), printable(after.name), visible(before.text), visible(after.text))
}
