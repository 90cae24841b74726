#include "testing/s3/control_port.h"

#include <nlohmann/json.hpp>

#include "testing/s3/fault_server.h"

namespace weir::testing::s3 {
namespace {

using Json = nlohmann::json;

Result<Json> add_fault(FaultServer& server, const Json& given) {
  const auto kind = fault_kind(given.at("kind").get<std::string>());
  if (!kind) return error(Code::kInvalid, "there is no fault '{}'", given.at("kind").get<std::string>());
  Fault fault{.kind = *kind};
  fault.operations = given.value("operations", fault.operations);
  fault.key_prefix = given.value("key_prefix", fault.key_prefix);
  fault.per_mille = given.value("per_mille", fault.per_mille);
  fault.skip = given.value("skip", fault.skip);
  fault.count = given.value("count", fault.count);
  if (given.contains("bytes")) fault.bytes = given.at("bytes").get<uint64_t>();
  fault.delay_ms = given.value("delay_ms", fault.delay_ms);
  fault.bytes_per_second = given.value("bytes_per_second", fault.bytes_per_second);
  if (fault.bytes_per_second == 0) return error(Code::kInvalid, "bytes_per_second of a fault is above 0");
  if (!server.faults().add(fault)) return error(Code::kInvalid, "there are too many faults");
  return Json::object();
}

Result<Json> settings(FaultServer& server, const Json& given) {
  if (given.contains("seed")) server.faults().seed(given.at("seed").get<uint64_t>());
  if (given.contains("clock_skew_ms")) server.set_clock_skew_ms(given.at("clock_skew_ms").get<int64_t>());
  if (given.contains("unreachable")) server.set_unreachable(given.at("unreachable").get<bool>());
  if (given.contains("refuse_connections")) {
    if (given.at("refuse_connections").get<bool>()) {
      server.refuse_connections();
    } else {
      TRY(server.accept_connections());
    }
  }
  return Json::object();
}

Json set_rate(FaultServer& server, const Json& given) {
  RateLimit::Rates rates;
  rates.requests_per_second = given.value("requests_per_second", rates.requests_per_second);
  rates.bytes_per_second = given.value("bytes_per_second", rates.bytes_per_second);
  rates.burst_ms = given.value("burst_ms", rates.burst_ms);
  server.rate().set(rates);
  return Json::object();
}

Json set_credential(FaultServer& server, const Json& given) {
  server.credentials().set({.access_key = given.at("access_key").get<std::string>(),
                            .secret_key = given.at("secret_key").get<std::string>(),
                            .session_token = given.value("session_token", std::string()),
                            .expires_seconds = given.value("expires_seconds", int64_t{0}),
                            .may_read = given.value("may_read", true),
                            .may_write = given.value("may_write", true)});
  return Json::object();
}

Json set_metadata(FaultServer& server, const Json& given) {
  InstanceMetadata::Settings settings;
  settings.lifetime_seconds = given.value("lifetime_seconds", settings.lifetime_seconds);
  settings.renew_seconds = given.value("renew_seconds", settings.renew_seconds);
  settings.container_token = given.value("container_token", settings.container_token);
  settings.status = given.value("status", settings.status);
  server.metadata().set(settings);
  return Json::object();
}

Json json_of(const ObjectCounters& object) {
  return {{"puts", object.puts},           {"puts_whole", object.puts_whole},
          {"puts_done", object.puts_done}, {"bytes_received", object.bytes_received},
          {"gets", object.gets},           {"bytes_sent", object.bytes_sent}};
}

Json counters(FaultServer& server) {
  const CounterValues values = server.counters().values();
  const InstanceMetadata::Requests metadata = server.metadata().requests();
  Json objects = Json::object();
  for (const auto& [name, object] : values.objects) objects[name] = json_of(object);
  Json seconds = Json::array();
  for (const SecondCounters& each : values.seconds) {
    seconds.push_back({{"second", each.second},
                       {"accepted", each.accepted},
                       {"slowed_down", each.slowed_down},
                       {"bytes_in", each.bytes_in},
                       {"bytes_out", each.bytes_out}});
  }
  return {
      {"requests", values.requests},
      {"answers", values.answers},
      {"objects", objects},
      {"seconds", seconds},
      {"bytes_in", values.bytes_in},
      {"bytes_out", values.bytes_out},
      {"proxied", values.proxied},
      {"at_once", values.at_once},
      {"at_once_max", values.at_once_max},
      {"connections", server.connections_accepted()},
      {"faults", server.faults().given()},
      {"metadata", {{"tokens", metadata.tokens}, {"credentials", metadata.credentials}, {"issued", metadata.issued}}}};
}

Result<Json> command(FaultServer& server, std::string_view method, std::string_view path, const Json& given) {
  if (method == "GET" && path == "/_fault/counters") return counters(server);
  if (method != "POST") return error(Code::kInvalid, "there is no command {} {}", method, path);
  if (path == "/_fault/add") return add_fault(server, given);
  if (path == "/_fault/settings") return settings(server, given);
  if (path == "/_fault/rate") return set_rate(server, given);
  if (path == "/_fault/credential") return set_credential(server, given);
  if (path == "/_fault/metadata") return set_metadata(server, given);
  if (path == "/_fault/clear") {
    server.faults().clear();
  } else if (path == "/_fault/rotate") {
    server.metadata().rotate();
  } else if (path == "/_fault/reset_counters") {
    server.counters().reset();
  } else {
    return error(Code::kInvalid, "there is no command {} {}", method, path);
  }
  return Json::object();
}

}  // namespace

Result<std::string> control(FaultServer& server, std::string_view method, std::string_view path,
                            std::string_view body) {
  try {
    ASSIGN_OR_RETURN(const Json answer,
                     command(server, method, path, body.empty() ? Json::object() : Json::parse(body)));
    return answer.dump();
  } catch (const Json::exception& failure) {
    return error(Code::kInvalid, "the command's document makes no sense: {}", failure.what());
  }
}

}  // namespace weir::testing::s3
