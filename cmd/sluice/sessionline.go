package main

import (
	"slices"
	"strconv"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

// appendSession appends the line of a session, exactly as slog writes it: time, level, message, then
// [sessionAttrs]. It is written by hand because there is one for each session and slog takes ten times as long;
// a test compares both. A record with a text that needs quoting, which only strange clients have, is left to
// slog.
func appendSession(text []byte, format configs.LogFormat, msg string, b *l4.Record) []byte {
	if !allPlain(b) {
		return appendBySlog(text, format, msg, b)
	}
	if format == configs.LogJSON {
		return appendSessionJSON(text, msg, b)
	}
	return appendSessionText(text, msg, b)
}

// allPlain reports whether nothing in a record needs to be escaped, in either format.
func allPlain(b *l4.Record) bool {
	for _, s := range [...]string{b.Listener, b.Route, b.Pool, b.Node, b.ServerName, b.Path} {
		if !plain(s) {
			return false
		}
	}
	for _, s := range b.ALPN {
		if !plain(s) {
			return false
		}
	}
	return b.Subject == "" && b.Detail == "" && b.Client.Addr().Zone() == ""
}

// plain reports whether a text is letters, digits and the punctuation of names and addresses.
func plain(s string) bool {
	for i := range len(s) {
		if !plainBytes[s[i]] {
			return false
		}
	}
	return true
}

var plainBytes = func() (is [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*:@[]/" {
		is[c] = true
	}
	return is
}()

func appendSessionText(t []byte, msg string, b *l4.Record) []byte {
	t = append(t, "time="...)
	t = appendMillis(t, b.Accepted.Add(b.Duration))
	t = append(t, " level=INFO msg="...)
	if plain(msg) {
		t = append(t, msg...)
	} else {
		t = strconv.AppendQuote(t, msg)
	}
	t = append(t, " id="...)
	t = strconv.AppendUint(t, b.ID, 10)
	t = appendWord(t, " listener=", b.Listener)
	t = appendWord(t, " route=", b.Route)
	t = appendWord(t, " pool=", b.Pool)
	t = appendWord(t, " node=", b.Node)
	t = append(t, " client="...)
	t = b.Client.AppendTo(t)
	t = appendWord(t, " server_name=", b.ServerName)
	t = appendProtocols(append(t, " alpn="...), b.ALPN)
	t = appendWord(t, " cause=", b.Cause.String())
	t = appendWord(t, " phase=", b.Phase.String())
	t = strconv.AppendUint(append(t, " bytes_in="...), b.BytesIn, 10)
	t = strconv.AppendUint(append(t, " bytes_out="...), b.BytesOut, 10)
	t = appendDuration(append(t, " t_header="...), b.Header)
	t = appendDuration(append(t, " t_hello="...), b.Hello)
	t = appendDuration(append(t, " t_dial="...), b.Dial)
	t = appendDuration(append(t, " t_first_byte="...), b.FirstByte)
	t = appendDuration(append(t, " dur="...), b.Duration)
	t = strconv.AppendInt(append(t, " retries="...), int64(b.Retries), 10)
	t = appendWord(t, " path=", b.Path)
	return append(t, '\n')
}

// appendWord appends a key and a plain text; an empty one is quoted.
func appendWord(t []byte, key, value string) []byte {
	t = append(t, key...)
	if value == "" {
		return append(t, `""`...)
	}
	return append(t, value...)
}

// appendProtocols writes a list as fmt does, [h2 http/1.1], in quotes if there is a blank in it.
func appendProtocols(t []byte, list []string) []byte {
	quoted := len(list) > 1
	if quoted {
		t = append(t, '"')
	}
	t = append(t, '[')
	for i, s := range list {
		if i > 0 {
			t = append(t, ' ')
		}
		t = append(t, s...)
	}
	t = append(t, ']')
	if quoted {
		t = append(t, '"')
	}
	return t
}

// appendDuration appends what [time.Duration.String] says.
func appendDuration(t []byte, d time.Duration) []byte {
	if d == 0 {
		return append(t, "0s"...)
	}
	return append(t, d.String()...)
}

// appendMillis appends a time as slog's text has it: RFC 3339, whose own form is formatted fastest, with
// milliseconds.
func appendMillis(t []byte, at time.Time) []byte {
	const whole = len("2006-01-02T15:04:05")
	n := len(t) + whole
	t = at.AppendFormat(t, time.RFC3339)
	ms := at.Nanosecond() / 1e6
	return slices.Insert(t, n, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func appendSessionJSON(t []byte, msg string, b *l4.Record) []byte {
	t = append(t, `{"time":"`...)
	t = b.Accepted.Add(b.Duration).AppendFormat(t, time.RFC3339Nano)
	t = append(t, `","level":"INFO","msg":"`...)
	t = append(t, msg...) // one of ours: nothing in it needs to be escaped
	t = append(t, `","id":`...)
	t = strconv.AppendUint(t, b.ID, 10)
	t = appendString(t, `,"listener":"`, b.Listener)
	t = appendString(t, `,"route":"`, b.Route)
	t = appendString(t, `,"pool":"`, b.Pool)
	t = appendString(t, `,"node":"`, b.Node)
	t = append(t, `,"client":"`...)
	t = append(b.Client.AppendTo(t), '"')
	t = appendString(t, `,"server_name":"`, b.ServerName)
	t = append(t, `,"alpn":`...)
	if b.ALPN == nil {
		t = append(t, "null"...)
	} else {
		t = append(t, '[')
		for i, s := range b.ALPN {
			if i > 0 {
				t = append(t, ',')
			}
			t = appendString(t, `"`, s)
		}
		t = append(t, ']')
	}
	t = appendString(t, `,"cause":"`, b.Cause.String())
	t = appendString(t, `,"phase":"`, b.Phase.String())
	t = strconv.AppendUint(append(t, `,"bytes_in":`...), b.BytesIn, 10)
	t = strconv.AppendUint(append(t, `,"bytes_out":`...), b.BytesOut, 10)
	t = appendSeconds(append(t, `,"t_header":`...), b.Header)
	t = appendSeconds(append(t, `,"t_hello":`...), b.Hello)
	t = appendSeconds(append(t, `,"t_dial":`...), b.Dial)
	t = appendSeconds(append(t, `,"t_first_byte":`...), b.FirstByte)
	t = appendSeconds(append(t, `,"dur":`...), b.Duration)
	t = strconv.AppendInt(append(t, `,"retries":`...), int64(b.Retries), 10)
	t = appendString(t, `,"path":"`, b.Path)
	return append(t, '}', '\n')
}

// appendString appends a key with the opening quote, a plain text, and the closing quote.
func appendString(t []byte, key, value string) []byte {
	t = append(t, key...)
	t = append(t, value...)
	return append(t, '"')
}

// appendSeconds appends a duration in seconds, with as many decimals as it has: 0, 1.5, 0.000234567.
func appendSeconds(t []byte, d time.Duration) []byte {
	nanos := uint64(d)
	if d < 0 {
		t, nanos = append(t, '-'), -nanos
	}
	t = strconv.AppendUint(t, nanos/1e9, 10)
	rest := nanos % 1e9
	if rest == 0 {
		return t
	}
	digits := [10]byte{'.'}
	for i := 9; i > 0; i-- {
		digits[i] = byte('0' + rest%10)
		rest /= 10
	}
	n := len(digits)
	for digits[n-1] == '0' {
		n--
	}
	return append(t, digits[:n]...)
}
