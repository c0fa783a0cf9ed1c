// The module whose files hold the Prometheus Operator's CRDs. It is apart from kube-apiserver's, whose versions
// of other modules it would change, and nothing of it is built.
module bpf-sidecar/cluster/prometheus-operator

go 1.25.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
