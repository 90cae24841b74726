#include "bench/metadata/stage.h"

#include <atomic>
#include <cstdio>
#include <thread>

#include "base/mutex.h"
#include "meta/keys.h"

namespace weir::bench {

Result<double> timed(size_t count, size_t threads, const std::function<Status(size_t, size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::vector<Status> outcomes(threads);
  std::vector<std::thread> running;
  SystemClock clock;
  const int64_t begin_ns = clock.monotonic_ns();
  for (size_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      for (size_t index = next++; outcomes[thread] && index < count; index = next++)
        outcomes[thread] = work(index, thread);
    });
  }
  for (std::thread& thread : running) thread.join();
  const double seconds = static_cast<double>(clock.monotonic_ns() - begin_ns) / 1e9;
  for (const Status& outcome : outcomes) TRY(outcome);
  return seconds;
}

void report(const std::string& what, size_t count, double seconds) {
  fmt::print("{:<58} {:>8.0f}/s {:>9.3f} ms\n", what, static_cast<double>(count) / seconds,
             seconds * 1000 / static_cast<double>(count));
  std::fflush(stdout);
}

Result<std::unique_ptr<Stage>> Stage::make(const StageOptions& options) {
  std::unique_ptr<Stage> stage(new Stage(options));
  testing::PostgresServer::Options server;
  server.fsync = true;
  ASSIGN_OR_RETURN(stage->server_, testing::PostgresServer::start(server));
  ASSIGN_OR_RETURN(stage->shared_, stage->open(stage->server_->url(), 1, true));
  ASSIGN_OR_RETURN(stage->embedded_, stage->open(stage->scratch_.file("embedded"), 1, true));
  for (uint32_t node = 2; node <= 4; ++node) {
    ASSIGN_OR_RETURN(Node other, stage->open(stage->server_->url(), node, false));
    stage->others_.push_back(std::move(other));
  }
  return stage;
}

Result<Node> Stage::open(const std::string& url, uint32_t node, bool create) {
  Node opened;
  ASSIGN_OR_RETURN(auto engine, kv::open_engine(url, create, meta::keys::layout()));
  opened.engine = std::make_unique<CountingEngine>(std::move(engine));
  if (create) {
    VolumeSettings settings;
    settings.volume_id = settings.incarnation = std::string(32, '0');
    TRY(meta::Volume::format(*opened.engine, settings, 0, 0, clock_));
  }
  ASSIGN_OR_RETURN(opened.volume, meta::Volume::open(*opened.engine, NodeId{node}, clock_, random_));
  return opened;
}

Status Stage::measure() {
  const auto wanted = [&](std::string_view group) { return options_.only.empty() || options_.only == group; };
  for (size_t clients : {size_t{1}, options_.clients}) {
    if (wanted("floor")) TRY(floor(clients));
  }
  for (size_t clients : {size_t{1}, options_.clients}) {
    if (wanted("names")) TRY(names(fmt::format("{} client{}", clients, clients > 1 ? "s" : ""), shared_, clients));
  }
  if (wanted("names")) TRY(names("embedded, 1 client", embedded_, 1));
  if (wanted("contents")) TRY(contents("1 client", shared_));
  if (wanted("contents")) TRY(contents("embedded, 1 client", embedded_));
  if (wanted("listing")) TRY(listing("1 client", shared_));
  if (wanted("nodes")) TRY(one_directory_by_nodes());
  return wanted("nodes") ? same_chunks_by_nodes() : Status();
}

}  // namespace weir::bench
