#include "daemon/volume/node_file.h"

#include <charconv>

#include "base/clock.h"
#include "base/io.h"
#include "base/random.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"

namespace weir {

namespace {

constexpr std::string_view kBegin = "weir node ";
constexpr std::string_view kMiddle = " of volume ";

std::string path_in(const std::string& cache_directory) { return cache_directory + "/node"; }

}  // namespace

Result<std::optional<NodeId>> read_node_file(const std::string& cache_directory, const std::string& volume_id) {
  const std::string path = path_in(cache_directory);
  Result<Bytes> text = io::read_file(path);
  if (!text && text.error().code == Code::kNotFound) return std::nullopt;
  if (!text) return Failure(text.error());
  std::string_view left = *text;
  if (left.ends_with('\n')) left.remove_suffix(1);
  const size_t middle = left.find(kMiddle);
  NodeId node;
  if (left.starts_with(kBegin) && middle != std::string_view::npos) {
    const std::string_view number = left.substr(kBegin.size(), middle - kBegin.size());
    auto parsed = std::from_chars(number.data(), number.data() + number.size(), node.value);
    if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) node.value = 0;
  }
  if (node.value == 0)
    return error(Code::kCorrupt, "{} does not say which node the cache directory belongs to; use another directory",
                 path);
  if (left.substr(middle + kMiddle.size()) != volume_id)
    return error(Code::kInvalid, "cache directory {} belongs to volume {}, not to {}; use another directory",
                 cache_directory, left.substr(middle + kMiddle.size()), volume_id);
  return node;
}

Status write_node_file(const std::string& cache_directory, const std::string& volume_id, NodeId node) {
  TRY(io::make_directories(cache_directory));
  return io::write_file_durably(path_in(cache_directory),
                                fmt::format("{}{}{}{}\n", kBegin, node.value, kMiddle, volume_id));
}

Result<NodeId> new_node_id(kv::Engine& engine) {
  SystemClock clock;
  SystemRandom random;
  const Bytes key = meta::keys::counter(meta::keys::CounterKind::kNode);
  uint64_t id = 0;
  TRY(meta::run_repeatable(engine, clock, random, [&](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto value, transaction.get(key));
    meta::CounterRow row{1};
    if (value) {
      ASSIGN_OR_RETURN(row, meta::CounterRow::decode(value->bytes));
    }
    id = row.next++;
    transaction.put(key, row.encode());
    return {};
  }));
  return NodeId{static_cast<uint32_t>(id)};
}

}  // namespace weir
