#include "daemon/metrics/status_metrics.h"

#include <nlohmann/json.hpp>

#include "daemon/metrics/exposition.h"

namespace weir {

namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// One number of the status.
struct Figure {
  const char* group;  // empty: of the document itself
  const char* key;
  double scale;  // to the unit of the metric
  const char* name;
  Metric::Type type;
  const char* help;
};

constexpr auto kGauge = Metric::Type::kGauge;
constexpr auto kCounter = Metric::Type::kCounter;

constexpr Figure kFigures[] = {
    {"", "uptime_s", 1, "weir_uptime_seconds", kGauge, "since this daemon started"},
    {"", "metadata_away_s", 1, "weir_metadata_away_seconds", kGauge,
     "since the metadata server is out of reach; 0: it is not"},
    {"", "open_files", 1, "weir_open_files", kGauge, "files that are open"},
    {"", "open_handles", 1, "weir_open_handles", kGauge, "descriptors and mappings"},
    {"", "unpublished_files", 1, "weir_unpublished_files", kGauge, "open files with writes that are not published"},
    {"cache", "image_bytes", 1, "weir_cache_image_bytes", kGauge, "content of images"},
    {"cache", "small_bytes", 1, "weir_cache_small_bytes", kGauge, "small content"},
    {"cache", "staging_bytes", 1, "weir_cache_staging_bytes", kGauge, "content that is being written"},
    {"cache", "unstored_bytes", 1, "weir_cache_unstored_bytes", kGauge, "content that is only on this node"},
    {"cache", "images", 1, "weir_cache_images", kGauge, "images, whole and in part"},
    {"cache", "images_complete", 1, "weir_cache_images_complete", kGauge, "images that are whole"},
    {"cache", "small_contents", 1, "weir_cache_small_contents", kGauge, "small contents"},
    {"cache", "evicted_bytes", 1, "weir_cache_evicted_bytes_total", kCounter, "content that was evicted"},
    {"cache", "size_bytes_max", 1, "weir_cache_size_bytes_max", kGauge, "limit of stored content; 0: the disk's"},
    {"cache", "disk_free_bytes", 1, "weir_cache_disk_free_bytes", kGauge, "free on the cache's disk"},
    {"cache", "reserve_bytes", 1, "weir_cache_reserve_bytes", kGauge, "kept free on the cache's disk"},
    {"upload", "backlog_bytes", 1, "weir_upload_backlog_bytes", kGauge, "waiting for the object store"},
    {"upload", "backlog_contents", 1, "weir_upload_backlog_contents", kGauge, "contents waiting for the object store"},
    {"upload", "oldest_age_ms", 1e-3, "weir_upload_oldest_age_seconds", kGauge, "how long the oldest of them waits"},
    {"upload", "bytes_per_second", 1, "weir_upload_bytes_per_second", kGauge, "sent lately"},
    {"upload", "uploaded_bytes", 1, "weir_upload_bytes_total", kCounter, "sent to the object store"},
    {"upload", "uploaded_chunks", 1, "weir_upload_chunks_total", kCounter, "chunks sent to the object store"},
    {"upload", "deduplicated_bytes", 1, "weir_upload_deduplicated_bytes_total", kCounter, "stored already, not sent"},
    {"upload", "found_bytes", 1, "weir_upload_found_bytes_total", kCounter, "sent earlier, and found in the store"},
    {"upload", "errors", 1, "weir_upload_errors_total", kCounter, "rounds of uploads in which one failed for good"},
    {"object_store", "refused", 1, "weir_store_refused_total", kCounter, "requests that the store found too many"},
    {"object_store", "failed", 1, "weir_store_failed_total", kCounter, "requests that failed or had no answer"},
    {"object_store", "failing_s", 1, "weir_store_failing_seconds", kGauge, "since requests only fail; 0: they do not"},
    {"reads", "fills_running", 1, "weir_fills_running", kGauge, "images that are being filled"},
    {"reads", "corrupt_chunks", 1, "weir_corrupt_chunks_total", kCounter, "chunks that came damaged, and were dropped"},
    {"peers", "received_chunks", 1, "weir_peer_received_chunks_total", kCounter, "chunks that came from other nodes"},
    {"peers", "received_bytes", 1, "weir_peer_received_bytes_total", kCounter, "content that came from other nodes"},
    {"peers", "sent_chunks", 1, "weir_peer_sent_chunks_total", kCounter, "chunks sent to other nodes"},
    {"peers", "sent_bytes", 1, "weir_peer_sent_bytes_total", kCounter, "content sent to other nodes"},
    {"peers", "wrong_sums", 1, "weir_peer_wrong_sums_total", kCounter,
     "chunks that changed on their way, and came again"},
    {"peers", "failures", 1, "weir_peer_failures_total", kCounter, "requests to other nodes without an answer"},
    {"peers", "refused", 1, "weir_peer_refused_total", kCounter, "requests without the volume's key"},
    {"kernel", "unanswered", 1, "weir_kernel_requests_unanswered", kGauge, "requests in the daemon's hands"},
};

const Json* group_of(const Json& status, const char* group) {
  if (*group == '\0') return &status;
  const auto found = status.find(group);
  return found != status.end() && found->is_object() ? &*found : nullptr;
}

std::vector<Sample> sample_of(const Json& status, const char* group, const char* key, double scale,
                              Labels labels = {}) {
  const Json* object = group_of(status, group);
  if (object == nullptr) return {};
  const auto found = object->find(key);
  if (found == object->end() || !found->is_number()) return {};
  return {{std::move(labels), found->get<double>() * scale}};
}

void add(Metric& metric, std::vector<Sample> samples) {
  for (Sample& sample : samples) metric.samples.push_back(std::move(sample));
}

std::string text_of(const Json& status, const char* group, const char* key) {
  const Json* object = group_of(status, group);
  return object == nullptr ? "" : json_text(*object, key).value_or("");
}

Metric info(const Json& status) {
  return {"weir_info",
          kGauge,
          "what is mounted, and by which version; always 1",
          {{{{"volume", text_of(status, "volume", "name")},
             {"volume_id", text_of(status, "volume", "id")},
             {"mount_point", text_of(status, "", "mount_point")},
             {"version", text_of(status, "", "version")}},
            1}}};
}

Metric reads(const Json& status) {
  Metric metric{"weir_read_bytes_total", kCounter, "content that was read, by where it came from", {}};
  add(metric, sample_of(status, "reads", "cache_bytes", 1, {{"from", "cache"}}));
  add(metric, sample_of(status, "reads", "store_bytes", 1, {{"from", "store"}}));
  add(metric, sample_of(status, "reads", "peer_bytes", 1, {{"from", "peers"}}));
  return metric;
}

Metric store_rates(const Json& status) {
  Metric metric{"weir_store_requests_per_second_max", kGauge, "what the store takes, as found; 0: all", {}};
  add(metric, sample_of(status, "object_store", "reads_per_second_max", 1, {{"kind", "reads"}}));
  add(metric, sample_of(status, "object_store", "writes_per_second_max", 1, {{"kind", "writes"}}));
  return metric;
}

Metric reports(const Json& status) {
  Metric metric{"weir_reports", kGauge, "sentences in weir status that people must be told", {}};
  if (const auto found = status.find("reports"); found != status.end() && found->is_array())
    metric.samples.push_back({{}, static_cast<double>(found->size())});
  return metric;
}

Metric kernel_requests(const Json& status) {
  Metric metric{"weir_kernel_requests_total", kCounter, "requests of the kernel, by operation", {}};
  const Json* kernel = group_of(status, "kernel");
  const auto requests = kernel == nullptr ? status.end() : kernel->find("requests");
  if (kernel == nullptr || requests == kernel->end() || !requests->is_object()) return metric;
  for (const auto& [operation, count] : requests->items())
    if (count.is_number()) metric.samples.push_back({{{"operation", operation}}, count.get<double>()});
  return metric;
}

}  // namespace

std::string status_metrics(const Json& status) {
  std::vector<Metric> metrics = {info(status)};
  for (const Figure& figure : kFigures)
    metrics.push_back(
        {figure.name, figure.type, figure.help, sample_of(status, figure.group, figure.key, figure.scale)});
  metrics.push_back(reads(status));
  metrics.push_back(store_rates(status));
  metrics.push_back(reports(status));
  metrics.push_back(kernel_requests(status));
  return exposition_text(metrics);
}

}  // namespace weir
