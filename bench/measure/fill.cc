#include <memory>
#include <optional>

#include "bench/measure/content.h"
#include "bench/measure/groups.h"
#include "bench/measure/plain_fill.h"
#include "bench/measure/read_patterns.h"

namespace weir::bench {

namespace {

constexpr uint64_t kRequestBytes = 1u << 20;
constexpr int kPlainThreads = 4;
constexpr double kShare = 0.85;
constexpr const char* kFile = "fill.bin";

using Read = std::function<Result<double>(const std::string& path, uint64_t bytes)>;
using Plain = std::shared_ptr<std::optional<PlainFill>>;

Measurement first_read(const std::string& name, const Read& read, uint64_t bytes, const Plain& plain) {
  Measurement made;
  made.name = "first " + name + " of an evicted file (raw: a plain fill)";
  made.unit = "MB/s";
  made.targets = {{Target::Of::kRaw, kShare}};
  made.places = {PlaceKind::kWeir, PlaceKind::kRaw};
  made.run = [=](Place& place) -> Result<double> {
    TRY(place.settle());
    if (place.kind() == PlaceKind::kRaw) return (*plain)->run(kPlainThreads);
    TRY(place.evict(place.file(kFile)));
    return read(place.file(kFile), bytes);
  };
  return made;
}

}  // namespace

Group fill_group(const Sizes& sizes) {
  const auto plain = std::make_shared<std::optional<PlainFill>>();
  Group group;
  group.name = "fill";
  group.summary = "the first read of a file that has to come from the object store, beside a plain program";
  group.prepare = [=, bytes = sizes.fill_bytes](Place& place) -> Status {
    if (place.kind() == PlaceKind::kWeir) return make_file(place.file(kFile), bytes);
    ASSIGN_OR_RETURN(*plain, PlainFill::prepare(place.file("chunks"), bytes));
    return {};
  };
  group.clean = [=](Place& place) -> Status {
    return place.kind() == PlaceKind::kWeir ? remove_path(place.file(kFile)) : (*plain)->clean();
  };
  const auto by_read = [](const std::string& path, uint64_t bytes) {
    return read_sequentially(path, bytes, kRequestBytes, 1);
  };
  group.measurements.push_back(first_read("read()", by_read, sizes.fill_bytes, plain));
  group.measurements.push_back(first_read("mmap", read_mapped, sizes.fill_bytes, plain));
  return group;
}

}  // namespace weir::bench
