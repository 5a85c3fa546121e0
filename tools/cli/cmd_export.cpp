// pqw export: archive in, small model out: for ONNX runtimes, or for AQLM.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/json.h"
#include "cli/usage.h"
#include "pqw/core/text.h"
#include "pqw/pipeline/export_aqlm.h"
#include "pqw/pipeline/export_onnx.h"

namespace pqw::tool {
namespace {

constexpr char kOnnx[] = "onnx";
constexpr char kAqlm[] = "aqlm";

struct Arguments {
  std::string archive;
  std::string original;
  std::string output;
  std::string format;
  ReadOptions reading;
  bool force = false;
  bool json = false;
  bool quiet = false;
};

std::size_t count(const ExportReport& report, ExportForm form) {
  return static_cast<std::size_t>(std::ranges::count(report.tensors, form, &ExportedTensor::form));
}

std::string tensors(std::size_t n) { return fmt::format("{} tensor{}", n, n == 1 ? "" : "s"); }

void print_notes(const ExportReport& report, const std::string& output) {
  const std::size_t n_nodes = count(report, ExportForm::kNodes);
  const std::size_t n_rows = count(report, ExportForm::kRows);
  const std::size_t n_factors = count(report, ExportForm::kFactors);
  print_note(fmt::format("{}: {}, template {}, archive {}", output,
                         human_bytes(static_cast<double>(report.output_bytes)),
                         human_bytes(static_cast<double>(report.template_bytes)),
                         human_bytes(static_cast<double>(report.archive_bytes))));
  if (n_nodes > 0) {
    print_note(
        fmt::format("{} decoded by nodes when a runtime loads the model: this saves disk "
                    "and download, not memory",
                    tensors(n_nodes)));
  }
  if (n_rows > 0) {
    print_note(fmt::format("{} looked up row by row: coded in memory too", tensors(n_rows)));
  }
  if (n_factors > 0) {
    print_note(fmt::format("{} multiplied by way of factors: fewer operations, and less memory",
                           tensors(n_factors)));
  }
  const auto in_full = [](const ExportedTensor& tensor) {
    return tensor.form == ExportForm::kValues && tensor.codec != "plain" &&
           tensor.codec != "carried";
  };
  const auto first = std::ranges::find_if(report.tensors, in_full);
  if (first != report.tensors.end()) {
    print_note(fmt::format(
        "{} written decoded, because nodes cannot decode the codec or would not save space, for "
        "example {} of codec {}",
        tensors(static_cast<std::size_t>(std::ranges::count_if(report.tensors, in_full))),
        quoted("tensor", first->name), first->codec));
  }
  const auto n_tcq =
      static_cast<std::size_t>(std::ranges::count(report.tensors, "tcq", &ExportedTensor::codec));
  if (n_tcq > 0) {
    print_note(
        fmt::format("{} of codec tcq: ONNX has no entropy coding; an archive by pqw quantize --for "
                    "serving gives "
                    "a smaller model",
                    tensors(n_tcq)));
  }
  if (!report.kept.empty()) {
    print_note(fmt::format("{} of the template not in the archive kept, for example {}",
                           tensors(report.kept.size()), quoted("tensor", report.kept.front())));
  }
}

Json document_of(const Arguments& arguments, const char* format) {
  Json json =
      document("export", arguments.archive,
               {{"template", arguments.original.empty() ? Json() : Json(arguments.original)},
                {"format", format},
                {"trusted", arguments.reading.trusted}});
  json["output"] = arguments.output;
  json["tensors"] = Json::array();
  return json;
}

void print(const ExportReport& report, const Arguments& arguments) {
  if (!arguments.json) {
    if (!arguments.quiet) print_notes(report, arguments.output);
    return;
  }
  Json json = document_of(arguments, kOnnx);
  for (const ExportedTensor& tensor : report.tensors) {
    json["tensors"].push_back(
        {{"name", tensor.name}, {"codec", tensor.codec}, {"form", to_string(tensor.form)}});
  }
  json["kept"] = report.kept;
  json["archive_bytes"] = report.archive_bytes;
  json["template_bytes"] = report.template_bytes;
  json["output_bytes"] = report.output_bytes;
  print_json(json);
}

void print_notes(const AqlmReport& report, const std::string& output) {
  const auto n_coded =
      static_cast<std::size_t>(std::ranges::count(report.tensors, true, &AqlmTensor::is_coded));
  print_note(fmt::format("{}: {}, archive {}", output,
                         human_bytes(static_cast<double>(report.output_bytes)),
                         human_bytes(static_cast<double>(report.archive_bytes))));
  print_note(fmt::format("{} as codes of {} bits for {} weights; {} written in full",
                         tensors(n_coded), report.bits, report.block_size,
                         tensors(report.tensors.size() - n_coded)));
  const auto in_full = [](const AqlmTensor& tensor) {
    return !tensor.is_coded && tensor.codec == "pq";
  };
  const auto first = std::ranges::find_if(report.tensors, in_full);
  if (first == report.tensors.end()) return;
  print_note(fmt::format(
      "{} of codec pq written in full, for example {}: AQLM needs a matrix NAME.weight of a linear "
      "layer, groups=1, and one block size (here {}) and number of codebooks in all layers",
      tensors(static_cast<std::size_t>(std::ranges::count_if(report.tensors, in_full))),
      quoted("tensor", first->name), report.block_size));
}

void print(const AqlmReport& report, const Arguments& arguments) {
  if (!arguments.json) {
    if (!arguments.quiet) print_notes(report, arguments.output);
    return;
  }
  Json json = document_of(arguments, kAqlm);
  for (const AqlmTensor& tensor : report.tensors) {
    json["tensors"].push_back({{"name", tensor.name},
                               {"codec", tensor.codec},
                               {"form", tensor.is_coded ? "codes" : "values"}});
  }
  json["kept"] = Json::array();
  json["archive_bytes"] = report.archive_bytes;
  json["template_bytes"] = 0;
  json["output_bytes"] = report.output_bytes;
  print_json(json);
}

bool is_onnx_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name.ends_with(".onnx");
}

void export_to_onnx(const Arguments& arguments) {
  if (arguments.original.empty()) throw CLI::RequiredError("--template");
  if (arguments.format.empty() && !is_onnx_name(arguments.output)) {
    throw CLI::ValidationError(
        "--output", printable(arguments.output) +
                        ": expected the extension .onnx, or --format onnx or --format aqlm");
  }
  ExportReport report;
  const auto write = [&] {
    report = export_onnx(arguments.archive, arguments.original, arguments.output, arguments.force,
                         arguments.reading);
  };
  write_output(arguments.output, write, [&] { print(report, arguments); });
}

void export_to_aqlm(const Arguments& arguments) {
  if (!arguments.original.empty()) {
    throw CLI::ValidationError("--template", "--format aqlm does not use a template");
  }
  if (arguments.output == "-") {
    throw CLI::ValidationError("--output", "--format aqlm writes a folder");
  }
  AqlmReport report;
  const auto write = [&] {
    report = export_aqlm(arguments.archive, arguments.output, arguments.force, arguments.reading);
  };
  write_output(arguments.output, write, [&] { print(report, arguments); });
}

}  // namespace

void add_export(CLI::App& app) {
  CLI::App& verb =
      *app.add_subcommand("export", "make a small model that decodes its weights itself");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("ARCHIVE", arguments->archive, "archive to read")->required();
  verb.add_option("--template", arguments->original,
                  "the ONNX model that the archive was made from")
      ->type_name("FILE");
  verb.add_option("-o,--output", arguments->output, "model to write; with --format aqlm a folder")
      ->required()
      ->type_name("FILE");
  verb.add_option("--format", arguments->format,
                  "format of the output: onnx (also by the extension), or aqlm")
      ->type_name("FORMAT");
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  add_output_options(verb, arguments->force, arguments->json, arguments->quiet);
  verb.footer(
      "An ONNX model holds the codes of the archive and standard operators that decode them.\n"
      "Any runtime can run it. It saves disk and download, but memory only for embeddings and "
      "low_rank.\n"
      "A folder of AQLM holds model.safetensors, with codes of linear layers of codec pq, and a\n"
      "config.json with a quantization_config; other keys of a config.json that is there stay\n"
      "(--force).\n"
      "Example:\n  pqw export model.h5 --template model.onnx -o small.onnx\n"
      "  pqw export model.h5 --format aqlm -o folder");
  verb.callback([arguments] {
    if (!arguments->format.empty()) require_word("--format", arguments->format, {kOnnx, kAqlm});
    arguments->format == kAqlm ? export_to_aqlm(*arguments) : export_to_onnx(*arguments);
  });
}

}  // namespace pqw::tool
