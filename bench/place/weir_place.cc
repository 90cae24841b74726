#include "bench/place/weir_place.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "bench/place/command.h"

namespace weir::bench {

namespace {

using Json = nlohmann::json;

constexpr int kUnmountAttempts = 10;
constexpr int64_t kUnmountPauseMs = 500;

std::string mount_point_of(const WeirOptions& options) { return options.scratch + "/mount"; }

Result<Json> parsed(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return error(Code::kInvalid, "this is no JSON: {}", text);
  return json;
}

bool knows_passthrough(const WeirOptions& options) {
  auto help = output_of({options.program, "up", "--help"});
  return help && help->find("--passthrough") != std::string::npos;
}

}  // namespace

WeirPlace::WeirPlace(const WeirOptions& options, bool passthrough, pid_t server)
    : Place(PlaceKind::kWeir, "weir", mount_point_of(options)),
      options_(options),
      passthrough_(passthrough),
      server_(server) {}

Result<std::unique_ptr<WeirPlace>> WeirPlace::mount(const WeirOptions& options) {
  TRY(io::make_directories(mount_point_of(options), 0755));
  const bool known = knows_passthrough(options);
  const std::string state = options.scratch + "/state";
  Command command{options.program, "up", mount_point_of(options), "--dir", state, "--json"};
  if (!options.store_url.empty()) {
    TRY(io::make_directories(state, 0755));
    TRY(run({options.program, "format", state + "/meta", "--store", options.store_url}));
    command = {options.program, "mount",          state + "/meta", mount_point_of(options),
               "--cache-dir",   state + "/cache", "--json"};
  }
  if (known) command.insert(command.end(), {"--passthrough", options.passthrough ? "on" : "off"});
  ASSIGN_OR_RETURN(const std::string said, output_of(command));
  ASSIGN_OR_RETURN(const Json json, parsed(said));
  const pid_t server = json.value("pid", 0);
  return std::unique_ptr<WeirPlace>(new WeirPlace(options, known && options.passthrough, server));
}

WeirPlace::~WeirPlace() {
  SystemClock clock;
  Status unmounted;
  for (int attempt = 0; attempt < kUnmountAttempts; ++attempt) {
    unmounted = run({options_.program, "umount", directory()});
    if (unmounted) return;
    clock.sleep_ms(kUnmountPauseMs);
  }
  log::error("{}", unmounted.error().what);
}

Status WeirPlace::settle() {
  TRY(run({options_.program, "sync", directory(), "--to", "stored"}));
  ::sync();
  return {};
}

Status WeirPlace::store(const std::string& path) { return run({options_.program, "sync", path, "--to", "stored"}); }

Status WeirPlace::evict(const std::string& path) {
  TRY(store(path));
  return run({options_.program, "evict", path});
}

Result<uint64_t> WeirPlace::backlog_bytes() const {
  ASSIGN_OR_RETURN(const std::string said, output_of({options_.program, "status", directory(), "--json"}));
  ASSIGN_OR_RETURN(const Json json, parsed(said));
  return json.value(Json::json_pointer("/upload/backlog_bytes"), uint64_t{0});
}

Status WeirPlace::collect() {
  // The first run condemns, the second deletes.
  for (int run_number = 0; run_number < 2; ++run_number) TRY(run({options_.program, "gc", "--now", directory()}));
  return {};
}

Status WeirPlace::refill(const std::string& path) {
  TRY(evict(path));
  return run({options_.program, "warm", path});
}

Result<std::optional<uint64_t>> WeirPlace::local_bytes() const {
  ASSIGN_OR_RETURN(const std::string said,
                   output_of({"du", "--summarize", "--block-size=1", options_.scratch + "/state/cache"}));
  uint64_t bytes = 0;
  if (std::from_chars(said.data(), said.data() + said.size(), bytes).ec != std::errc())
    return error(Code::kInvalid, "du says '{}'", said);
  return bytes;
}

}  // namespace weir::bench
