package demo

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// s3 is the handler of a node's S3 port: as much of the protocol as it takes to store an object and to
// get it back, with curl or with an S3 library, in one piece or in parts.
func (n *Node) s3(consoleURL string) http.Handler {
	mux := http.NewServeMux()
	n.routeHealth(mux)
	mux.HandleFunc("GET /{$}", n.listBuckets)
	mux.HandleFunc("PUT /{bucket}", n.makeBucket)
	mux.HandleFunc("GET /{bucket}", n.getBucket)
	mux.HandleFunc("DELETE /{bucket}", n.removeBucket)
	mux.HandleFunc("PUT /{bucket}/{key...}", n.putObject)
	mux.HandleFunc("GET /{bucket}/{key...}", n.getObject)
	mux.HandleFunc("POST /{bucket}/{key...}", n.postObject)
	mux.HandleFunc("DELETE /{bucket}/{key...}", n.removeObject)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "sluice demo, "+n.Name)
		w.Header().Set("X-Amz-Id-2", n.ID())
		if consoleURL != "" && isBrowser(r) && r.URL.Path == "/" {
			http.Redirect(w, r, consoleURL, http.StatusTemporaryRedirect)
			return
		}
		if strings.Count(r.URL.Path, "/") == 2 {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "/") // libraries write /bucket/ for /bucket
		}
		mux.ServeHTTP(w, r)
	})
}

// isBrowser is how MinIO tells people from programs.
func isBrowser(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && strings.Contains(r.UserAgent(), "Mozilla")
}

func (n *Node) listBuckets(w http.ResponseWriter, _ *http.Request) {
	type entry struct{ Name, CreationDate string }
	var answer struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Buckets []entry  `xml:"Buckets>Bucket"`
	}
	for _, b := range n.cluster.store.listBuckets() {
		answer.Buckets = append(answer.Buckets, entry{b.name, b.created.UTC().Format(timeFormat)})
	}
	reply(w, answer, nil)
}

func (n *Node) makeBucket(w http.ResponseWriter, r *http.Request) {
	reply(w, nil, n.cluster.store.makeBucket(r.PathValue("bucket")))
}

func (n *Node) removeBucket(w http.ResponseWriter, r *http.Request) {
	if err := n.cluster.store.removeBucket(r.PathValue("bucket")); err != nil {
		reply(w, nil, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// getBucket tells where a bucket is, or what is in it.
func (n *Node) getBucket(w http.ResponseWriter, r *http.Request) {
	bucket, query := r.PathValue("bucket"), r.URL.Query()
	if query.Has("location") {
		var answer struct {
			XMLName xml.Name `xml:"LocationConstraint"` // empty: us-east-1
		}
		reply(w, answer, n.cluster.store.hasBucket(bucket))
		return
	}

	const maxKeys = 1000
	type entry struct {
		Key, LastModified, ETag string
		Size                    int64
	}
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name, Prefix          string
		KeyCount, MaxKeys     int
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []entry
	}
	answer.Name, answer.Prefix, answer.MaxKeys = bucket, query.Get("prefix"), maxKeys
	after := max(query.Get("continuation-token"), query.Get("start-after"), query.Get("marker"))
	objects, err := n.cluster.store.list(bucket, answer.Prefix, after)
	if len(objects) > maxKeys {
		objects = objects[:maxKeys]
		answer.IsTruncated, answer.NextContinuationToken = true, objects[maxKeys-1].key
	}
	for _, o := range objects {
		answer.Contents = append(answer.Contents, entry{o.key, o.modified.UTC().Format(timeFormat), o.etag, o.size})
	}
	answer.KeyCount = len(objects)
	reply(w, answer, err)
}

// putObject stores an object, or one part of one.
func (n *Node) putObject(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if id := query.Get("uploadId"); id != "" {
		number, _ := strconv.Atoi(query.Get("partNumber")) // 0 is no valid number
		etag, err := n.cluster.store.putPart(id, number, body(r))
		w.Header().Set("ETag", etag)
		reply(w, nil, err)
		return
	}
	o, err := n.cluster.store.put(r.PathValue("bucket"), r.PathValue("key"), r.Header.Get("Content-Type"), body(r))
	w.Header().Set("ETag", o.etag)
	reply(w, nil, err)
}

// getObject answers GET and HEAD, with ranges and conditions.
func (n *Node) getObject(w http.ResponseWriter, r *http.Request) {
	o, f, err := n.cluster.store.open(r.PathValue("bucket"), r.PathValue("key"))
	if err != nil {
		reply(w, nil, err)
		return
	}
	defer f.Close()
	w.Header().Set("ETag", o.etag)
	w.Header().Set("Content-Type", o.contentType)
	http.ServeContent(w, r, "", o.modified, f)
}

func (n *Node) removeObject(w http.ResponseWriter, r *http.Request) {
	err := n.cluster.store.remove(r.PathValue("bucket"), r.PathValue("key"))
	if id := r.URL.Query().Get("uploadId"); id != "" {
		err = n.cluster.store.abort(id)
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// postObject begins or completes a multipart upload.
func (n *Node) postObject(w http.ResponseWriter, r *http.Request) {
	bucket, key, query := r.PathValue("bucket"), r.PathValue("key"), r.URL.Query()
	if query.Has("uploads") {
		var answer struct {
			XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
			Bucket, Key, UploadId string
		}
		id, err := n.cluster.store.begin(bucket, key, r.Header.Get("Content-Type"))
		answer.Bucket, answer.Key, answer.UploadId = bucket, key, id
		reply(w, answer, err)
		return
	}

	var asked struct {
		Part []struct{ PartNumber int }
	}
	// 10,000 parts with all their checksums take some 3 MiB.
	if err := xml.NewDecoder(io.LimitReader(body(r), 8<<20)).Decode(&asked); err != nil || !query.Has("uploadId") {
		reply(w, nil, errInvalidPart)
		return
	}
	var numbers []int
	for _, p := range asked.Part {
		numbers = append(numbers, p.PartNumber)
	}
	var answer struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}
	o, err := n.cluster.store.complete(query.Get("uploadId"), numbers)
	answer.Bucket, answer.Key, answer.ETag = bucket, key, o.etag
	reply(w, answer, err)
}

// body is the payload of a request, without the chunks in which AWS libraries sign a stream. They have
// the form of HTTP's own chunks: the signature stands where the extensions do, checksums behind the
// last. Neither is looked at.
func body(r *http.Request) io.Reader {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return r.Body
	}
	size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil {
		return r.Body
	}
	return &exactly{r: httputil.NewChunkedReader(r.Body), rest: r.Body, left: size}
}

// exactly reads a payload of known size, and after it what stands behind it.
type exactly struct {
	r, rest io.Reader
	left    int64
}

func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if err != io.EOF {
		return n, err
	}
	if _, err := io.Copy(io.Discard, e.rest); err != nil {
		return n, err
	}
	if e.left != 0 {
		return n, errIncompleteBody
	}
	return n, io.EOF
}

// timeFormat is how S3 writes times in XML.
const timeFormat = "2006-01-02T15:04:05.000Z"

// statusOf is the status that goes with an error. Any other is the demo's own fault, or the disk's.
var statusOf = map[error]int{
	errNoSuchBucket:   http.StatusNotFound,
	errNoSuchKey:      http.StatusNotFound,
	errNoSuchUpload:   http.StatusNotFound,
	errBucketExists:   http.StatusConflict,
	errBucketNotEmpty: http.StatusConflict,
	errInvalidPart:    http.StatusBadRequest,
	errIncompleteBody: http.StatusBadRequest,
	errTooMany:        http.StatusServiceUnavailable,
}

// reply writes an answer, which may be nil, or an error in the form of S3.
func reply(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/xml")
	if err != nil {
		status, failure := http.StatusInternalServerError, struct {
			XMLName       xml.Name `xml:"Error"`
			Code, Message string
		}{Code: "InternalError", Message: err.Error()}
		for known, s := range statusOf {
			if errors.Is(err, known) {
				status, failure.Code = s, known.Error()
			}
		}
		w.Header().Del("ETag")
		w.WriteHeader(status)
		answer = failure
	}
	if answer == nil {
		return
	}
	io.WriteString(w, xml.Header)
	xml.NewEncoder(w).Encode(answer)
}
