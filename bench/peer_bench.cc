// Chunks of one image, fetched over the peer protocol and over plain TCP, in turn and with as many connections: each
// plain connection gets the same file by sendfile, without a protocol. Both sides run in this process. Printed are the
// medians of the rounds, with and without the SHA-256 that what is not stored yet is checked by (docs/peers.md).
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/io.h"
#include "base/limits.h"
#include "base/random.h"
#include "cache/cache.h"
#include "cluster/peer_client.h"
#include "cluster/peer_server.h"
#include "http/server.h"
#include "model/chunk.h"
#include "testing/temporary_directory.h"

namespace weir::bench {
namespace {

constexpr NodeId kHolder{1};
constexpr NodeId kAsker{2};

struct Options {
  size_t chunks = 128;
  size_t connections = 4;
  size_t rounds = 7;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Sends to every connection the parts of a file that it asks for by eight bytes, their offset.
class PlainServer {
 public:
  explicit PlainServer(int file) : file_(file) {}
  ~PlainServer() {
    ::shutdown(listener_.socket.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& sender : senders_) sender.join();
  }
  Status start() {
    ASSIGN_OR_RETURN(listener_, http::Listener::bind({"127.0.0.1", 0}));
    if (::fcntl(listener_.socket.get(), F_SETFL, 0) != 0) return errno_error(errno, "set up a socket");
    thread_ = std::thread([this] { accept(); });
    return {};
  }
  Result<FileDescriptor> connect() const {
    ASSIGN_OR_RETURN(http::SocketAddress target, http::SocketAddress::of(listener_.address));
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), target.get(), target.size) != 0) return errno_error(errno, "connect");
    return socket;
  }

 private:
  void accept() {
    for (;;) {
      FileDescriptor client(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      senders_.emplace_back([this, socket = std::move(client)] { serve(socket.get()); });
    }
  }
  void serve(int socket) const {
    off_t offset = 0;
    while (::recv(socket, &offset, sizeof offset, MSG_WAITALL) == sizeof offset) {
      for (off_t end = offset + static_cast<off_t>(limits::kChunkBytes); offset < end;)
        if (::sendfile(socket, file_, &offset, static_cast<size_t>(end - offset)) <= 0) return;
    }
  }

  const int file_;
  http::Listener listener_;
  std::vector<std::thread> senders_;
  std::thread thread_;
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {}

  Status run() {
    TRY(make_image());
    TRY(start_servers());
    fmt::print("{} chunks of 4 MiB, {} connections, medians of {} rounds\n", options_.chunks, options_.connections,
               options_.rounds);
    for (const bool check : {false, true}) {
      std::vector<double> peers;
      std::vector<double> plain;
      for (size_t round = 0; round <= options_.rounds; ++round) {
        for (const bool ours : {round % 2 == 0, round % 2 != 0}) {
          ASSIGN_OR_RETURN(double rate, ours ? over_peers(check) : over_plain(check));
          // The first round reads the file and makes connections.
          if (round > 0) (ours ? peers : plain).push_back(rate);
        }
      }
      fmt::print("{}: peers {:.0f} MB/s, plain TCP {:.0f} MB/s, ratio {:.2f}\n", check ? "chunks + SHA-256" : "chunks",
                 median(peers), median(plain), median(peers) / median(plain));
    }
    return {};
  }

 private:
  static VolumeSettings settings() {
    VolumeSettings settings;
    settings.volume_id = std::string(32, '1');
    settings.incarnation = std::string(32, '2');
    return settings;
  }

  Status make_image() {
    cache::Options options;
    options.directory = directory_.file("cache");
    options.volume_id = settings().volume_id;
    options.reserve_bytes = 1;
    ASSIGN_OR_RETURN(cache_,
                     cache::Cache::open(options, clock_, [](const ManifestId&, const std::vector<ChunkId>&) {}));
    ASSIGN_OR_RETURN(auto staging, cache_->new_staging());
    auto manifest = std::make_shared<Manifest>();
    for (size_t index = 0; index < options_.chunks; ++index) {
      const std::string bytes = random_.bytes(limits::kChunkBytes);
      TRY(staging->write(chunk_offset(index), bytes));
      manifest->chunks.push_back(chunk_id_of(bytes));
    }
    manifest->size = options_.chunks * limits::kChunkBytes;
    ids_ = manifest->chunks;
    ASSIGN_OR_RETURN(image_, cache_->seal(staging, manifest, std::vector<bool>(options_.chunks, true)));
    return {};
  }

  Status start_servers() {
    const cluster::PeerKey key = cluster::PeerKey::of(settings());
    peer_server_ = std::make_unique<cluster::PeerServer>(
        kHolder, key, *cache_, random_, [](NodeId, const std::string&, const std::string&) { return false; });
    ASSIGN_OR_RETURN(http::Listener listener, http::Listener::bind({"127.0.0.1", 0}));
    const std::string address = listener.address.text();
    ASSIGN_OR_RETURN(http_, http::Server::start(std::move(listener), peer_server_->routes(), clock_));
    client_ = std::make_unique<cluster::PeerClient>(
        kAsker, key,
        [address](NodeId id) {
          return cluster::Peer{id, "holder", "", address, true};
        },
        clock_, random_);
    plain_ = std::make_unique<PlainServer>(image_->fd());
    return plain_->start();
  }

  /// MB/s of all chunks; `get` brings chunk `index` by the connection of this thread.
  using Get = std::function<Status(size_t index, std::string& buffer)>;
  Result<double> timed(bool check, const std::function<Result<Get>()>& connect) {
    std::atomic<size_t> next = 0;
    std::vector<Status> outcomes(options_.connections);
    std::vector<std::thread> threads;
    const int64_t begin_ns = clock_.monotonic_ns();
    for (Status& outcome : outcomes)
      threads.emplace_back([&, this] {
        auto get = connect();
        outcome = get ? Status() : Failure(get.error());
        std::string buffer(limits::kChunkBytes, '\0');
        for (size_t index = next++; outcome && index < ids_.size(); index = next++) {
          outcome = (*get)(index, buffer);
          if (outcome && check && chunk_id_of(buffer) != ids_[index])
            outcome = error(Code::kCorrupt, "chunk {} came with wrong bytes", index);
        }
      });
    for (std::thread& thread : threads) thread.join();
    const int64_t elapsed_ns = clock_.monotonic_ns() - begin_ns;
    for (const Status& outcome : outcomes) TRY(outcome);
    return static_cast<double>(ids_.size() * limits::kChunkBytes) * 1e3 / static_cast<double>(elapsed_ns);
  }

  Result<double> over_peers(bool check) {
    return timed(check, [this]() -> Result<Get> {
      return Get([this](size_t index, std::string& buffer) -> Status {
        const http::Patience patience{&clock_, clock_.monotonic_ns() + 60'000'000'000, 0};
        ASSIGN_OR_RETURN(bool found, client_->chunk(kHolder, ids_[index], buffer, patience));
        return found ? Status() : Status(error(Code::kNotFound, "chunk {} is not there", index));
      });
    });
  }

  Result<double> over_plain(bool check) {
    return timed(check, [this]() -> Result<Get> {
      ASSIGN_OR_RETURN(FileDescriptor connected, plain_->connect());
      auto socket = std::make_shared<FileDescriptor>(std::move(connected));
      return Get([socket](size_t index, std::string& buffer) -> Status {
        const auto offset = static_cast<off_t>(chunk_offset(index));
        if (::send(socket->get(), &offset, sizeof offset, MSG_NOSIGNAL) != sizeof offset)
          return errno_error(errno, "send");
        const ssize_t got = ::recv(socket->get(), buffer.data(), buffer.size(), MSG_WAITALL);
        if (got != static_cast<ssize_t>(buffer.size())) return errno_error(errno, "receive");
        return {};
      });
    });
  }

  const Options options_;
  SystemClock clock_;
  SystemRandom random_;
  testing::TemporaryDirectory directory_;
  std::unique_ptr<cache::Cache> cache_;
  std::shared_ptr<cache::Image> image_;
  std::vector<ChunkId> ids_;
  std::unique_ptr<cluster::PeerServer> peer_server_;
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<cluster::PeerClient> client_;
  std::unique_ptr<PlainServer> plain_;
};

std::optional<Options> parse(int count, char** arguments, int* exit_code) {
  Options options;
  CLI::App app("Chunks from another node, beside plain TCP (docs/peers.md)");
  app.add_option("--chunks", options.chunks)->capture_default_str()->check(CLI::Range(1, 10'000));
  app.add_option("--connections", options.connections)->capture_default_str()->check(CLI::Range(1, 64));
  app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 1000));
  bool quick = false;
  app.add_flag("--quick", quick, "Few chunks and 3 rounds: shows that it works, not how fast.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& wrong) {
    *exit_code = app.exit(wrong) == 0 ? 0 : 2;
    return std::nullopt;
  }
  if (quick && app.count("--chunks") == 0) options.chunks = 16;
  if (quick && app.count("--rounds") == 0) options.rounds = 3;
  return options;
}

}  // namespace
}  // namespace weir::bench

int main(int count, char** arguments) {
  int exit_code = 0;
  auto options = weir::bench::parse(count, arguments, &exit_code);
  if (!options) return exit_code;
  const weir::Status done = weir::bench::Bench(*options).run();
  if (done) return 0;
  fmt::print(stderr, "peer_bench: {}\n", done.error().what);
  return 1;
}
