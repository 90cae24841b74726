#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cache/cache_fixture.h"
#include "cluster/peer_client.h"
#include "cluster/peer_messenger.h"
#include "cluster/peer_server.h"
#include "http/server.h"
#include "testing/temporary_directory.h"

namespace weir::cluster::testing {

inline VolumeSettings some_settings() {
  VolumeSettings settings;
  settings.volume_id = "00112233445566778899aabbccddeeff";
  settings.incarnation = "ffeeddccbbaa99887766554433221100";
  settings.name_hash_key[0] = 7;
  settings.name_hash_key[1] = 11;
  return settings;
}

/// Stands between two nodes and changes what comes back, as told. One connection at a time is enough for the tests.
class Wire {
 public:
  explicit Wire(http::Address target) : target_(std::move(target)) {
    listener_ = std::move(http::Listener::bind({"127.0.0.1", 0}).value());
    thread_ = std::thread([this] { accept(); });
  }
  ~Wire() {
    ending_ = true;
    thread_.join();
    for (std::thread& carrier : carriers_) carrier.join();
  }
  const http::Address& address() const { return listener_.address; }

  /// Of each of the next replies of more than 100,000 bytes, one byte in the middle is another.
  std::atomic<int> changed_replies = 0;
  /// Each of the next such replies breaks off in the middle.
  std::atomic<int> broken_replies = 0;

 private:
  static FileDescriptor connected(const http::Address& address) {
    auto target = http::SocketAddress::of(address);
    FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), target->get(), target->size) != 0) socket.reset();
    return socket;
  }
  void accept() {
    while (!ending_) {
      pollfd entry{listener_.socket.get(), POLLIN, 0};
      if (::poll(&entry, 1, 20) <= 0) continue;
      FileDescriptor client(::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
      FileDescriptor server = connected(target_);
      if (client.valid() && server.valid())
        carriers_.emplace_back(
            [this, one = std::move(client), two = std::move(server)] { carry(one.get(), two.get()); });
    }
  }
  void carry(int client, int server) {
    size_t of_reply = 0;
    std::string bytes(64u << 10, '\0');
    while (!ending_) {
      pollfd entries[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(entries, 2, 20) <= 0) continue;
      for (int from : {client, server}) {
        const pollfd& entry = entries[from == client ? 0 : 1];
        if (entry.revents == 0) continue;
        const ssize_t count = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (count <= 0) return end(client, server);
        of_reply = from == client ? 0 : of_reply + static_cast<size_t>(count);
        const bool middle = of_reply > 100'000 && of_reply - static_cast<size_t>(count) <= 100'000;
        if (middle && broken_replies > 0) {
          --broken_replies;
          return end(client, server);
        }
        if (middle && changed_replies > 0) {
          --changed_replies;
          bytes[static_cast<size_t>(count) / 2] ^= 1;
        }
        ::send(from == client ? server : client, bytes.data(), static_cast<size_t>(count), MSG_NOSIGNAL);
      }
    }
  }
  static void end(int client, int server) {
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server, SHUT_RDWR);
  }

  const http::Address target_;
  http::Listener listener_;
  std::atomic<bool> ending_ = false;
  std::vector<std::thread> carriers_;
  std::thread thread_;
};

/// The nodes of one volume in this process, with real sockets between them.
class Nodes {
 public:
  struct Node {
    weir::testing::TemporaryDirectory directory;
    std::unique_ptr<cache::Cache> cache;
    std::unique_ptr<PeerClient> client;
    std::unique_ptr<PeerMessenger> messenger;
    std::unique_ptr<PeerServer> peer_server;
    std::unique_ptr<http::Server> http;
  };

  Node& add(NodeId id, const VolumeSettings& settings = some_settings()) {
    auto node = std::make_unique<Node>();
    cache::Options options;
    options.directory = node->directory.file("cache");
    options.volume_id = settings.volume_id;
    options.reserve_bytes = 1;
    node->cache =
        std::move(cache::Cache::open(options, clock, [](const ManifestId&, const std::vector<ChunkId>&) {}).value());
    const PeerKey key = PeerKey::of(settings);
    node->client = std::make_unique<PeerClient>(
        id, key, [this](NodeId wanted) { return find(wanted); }, clock, random);
    node->messenger = std::make_unique<PeerMessenger>(*node->client, clock);
    node->peer_server = std::make_unique<PeerServer>(
        id, key, *node->cache, random,
        [messenger = node->messenger.get()](NodeId from, std::string topic, std::string body) {
          return messenger->take(from, std::move(topic), std::move(body));
        });
    Node& added = *(nodes_[id] = std::move(node));
    start(id, 0);
    return added;
  }
  /// A server of node `id` again, at the port.
  void start(NodeId id, uint16_t port) {
    auto listener = http::Listener::bind({"127.0.0.1", port}).value();
    tell_of({id, "host", "", listener.address.text(), true});
    nodes_[id]->http =
        std::move(http::Server::start(std::move(listener), nodes_[id]->peer_server->routes(), clock).value());
  }
  void tell_of(const Peer& peer) {
    MutexLock lock(mutex_);
    peers_[peer.id] = peer;
  }
  std::optional<Peer> find(NodeId id) {
    MutexLock lock(mutex_);
    auto place = peers_.find(id);
    return place == peers_.end() ? std::nullopt : std::optional<Peer>(place->second);
  }
  http::Patience patience(int64_t ms = 20'000) { return {&clock, clock.monotonic_ns() + ms * 1'000'000, ms}; }

  SystemClock clock;
  SystemRandom random;

 private:
  const std::string files_ = cache::testing::use_memory_for_files();
  Mutex mutex_;
  std::map<NodeId, Peer> peers_ GUARDED_BY(mutex_);
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
};

}  // namespace weir::cluster::testing
