// Package telemetry makes the logger and the metrics registry of a program. Both are values that are handed to what needs them;
// nothing here is global.
package telemetry
