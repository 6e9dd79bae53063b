/* A complete vendor library for the tests: every function of the Neuroshare C interface, revision 1.3.
 *
 * A "recording" is a text file that begins with the line NSTEST. Further lines order faults:
 *   fail FUNCTION CODE    the function answers CODE
 *   crash FUNCTION        the function kills the process by a signal
 *   exit FUNCTION CODE    the function ends the process
 *   hang FUNCTION         the function never returns
 *   slow FUNCTION MS      the function takes so many milliseconds
 *   meet FUNCTION MS      the function waits so long for another call at the same time, and fails without one
 *   noise FUNCTION        the function writes to both outputs of the process
 *   lie times             ns_GetIndexByTime answers wrongly, as a real library does
 *   lie counts            the entity information promises more items than there are
 *   lie continuous        the continuous count is larger than what was asked for
 *   lie samples           items of entity 7 claim more samples than the longest may have
 *   lie lengths           the first item of entity 0 is 6000 bytes longer than promised
 *   lie used              items of entity 0 claim 4 GB
 *   lie pointers          samples are refused where only their number is wanted
 *   large COUNT           samples of entity 6 and items of entity 11
 * Variants are chosen when it is compiled: PACKED (structures packed to 4), MULTITHREADED (the flag
 * is set, calls are not checked for overlap), NO_LAST_ERROR and NO_NEURAL (functions that are missing),
 * NO_INFO (the library tells nothing of itself), EMPTY_MESSAGE and LONG_MESSAGE (of errors: none, and
 * 256 characters without a NUL), CRASH_AT_LOAD and HANG_AT_LOAD, REVISION_1_0 (months from 0 on, and
 * segments sample by sample).
 *
 * What it holds is written in contents.py, from which the tests take what to expect.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef PACKED
#pragma pack(push, 4)
#endif
typedef struct { char description[32], extension[8], mac[8], magic[16]; } FileDescription;
typedef struct {
    uint32_t major, minor, api_major, api_minor;
    char description[64], creator[64];
    uint32_t year, month, day, flags, max_files, count;
    FileDescription types[16];
} LibraryInfo;
typedef struct {
    char type[32];
    uint32_t entities;
    double resolution, span;
    char application[64];
    uint32_t year, month, reserved, day, hour, minute, second, millisecond;
    char comment[256];
} FileInfo;
typedef struct { char label[32]; uint32_t type, items; } EntityInfo;
typedef struct { uint32_t type, least, most; char csv[128]; } EventInfo;
typedef struct {
    double rate, least, greatest;
    char units[16];
    double resolution, x, y, z, user, high;
    uint32_t high_order;
    char high_type[16];
    double low;
    uint32_t low_order;
    char low_type[16], probe[128];
} AnalogInfo;
typedef struct { uint32_t sources, least, most; double rate; char units[32]; } SegmentInfo;
typedef struct {
    double least, greatest, resolution, shift, x, y, z, user, high;
    uint32_t high_order;
    char high_type[16];
    double low;
    uint32_t low_order;
    char low_type[16], probe[128];
} SourceInfo;
typedef struct { uint32_t source, unit; char probe[128]; } NeuralInfo;
#ifdef PACKED
#pragma pack(pop)
#endif

enum { OK = 0, LIBERROR = -1, TYPEERROR = -2, FILEERROR = -3, BADFILE = -4, BADENTITY = -5, BADSOURCE = -6, BADINDEX = -7, NOBODY = -99 };
enum { EVENT = 1, ANALOG = 2, SEGMENT = 3, NEURAL = 4 };
enum { ENTITIES = 12, FILES = 8, FAULTS = 16, RUNS = 3 };

typedef struct { char what[8], function[32]; int code; } Fault;
enum { LIE_TIMES = 1, LIE_COUNTS = 2, LIE_CONTINUOUS = 4, LIE_SAMPLES = 8, LIE_LENGTHS = 16, LIE_USED = 32, LIE_POINTERS = 64 };
typedef struct { int is_open, faults, lies; uint32_t large; Fault fault[FAULTS]; } File;

static File files[FILES];
static char last_error[256];
static volatile int inside;
static volatile int refusals, refusals_before; /* of calls at the same time; before the call that is inside */
static volatile int arrivals;                  /* calls that were to meet another: two make a meeting */

/* The contents: see contents.py */
static const char *LABELS[ENTITIES] = {
    "words", "table", "bytes", "word pairs", "long words", "gaps \xb5V", "large",
    "tetrode", "neural", "nothing", "a label of thirty-two characters", "large spikes"};
static const uint32_t TYPES[ENTITIES] = {EVENT, EVENT, EVENT, EVENT, EVENT, ANALOG, ANALOG, SEGMENT, NEURAL, EVENT, 7, SEGMENT};
static const uint32_t EVENT_KINDS[ENTITIES] = {0, 1, 2, 3, 4, 0, 0, 0, 0, 3};
static const char *TEXTS[4] = {"start", "Reiz \xfc", "", "stop"};
static const uint32_t RUN_COUNTS[RUNS] = {1000, 500, 1};
static const double RUN_TIMES[RUNS] = {0.0, 2.5, 10.0};

static int fail(int code, const char *text) {
    snprintf(last_error, sizeof last_error, "%s", text);
    return code;
}

static uint32_t items(const File *file, uint32_t entity) {
    static const uint32_t counts[ENTITIES] = {4, 3, 5, 3, 2, 1501, 0, 6, 7, 0, 0, 0};
    return entity == 6 || entity == 11 ? file->large : counts[entity];
}

static double event_time(uint32_t entity, uint32_t index) { return 0.25 * (index + 1) + entity; }

static double item_time(const File *file, uint32_t entity, uint32_t index) {
    (void)file;
    if (entity == 5) {
        for (int run = 0; run < RUNS; run++) {
            if (index < RUN_COUNTS[run]) return RUN_TIMES[run] + index / 1000.0;
            index -= RUN_COUNTS[run];
        }
    }
    if (entity == 6) return index / 30000.0;
    if (entity == 7) return 0.5 + index * 1.25;
    if (entity == 8) return 0.125 * index * index;
    if (entity == 11) return index / 1000.0;
    return event_time(entity, index);
}

static void text(char *field, size_t size, const char *value) {
    size_t length = strlen(value);
    memset(field, 0, size);
    memcpy(field, value, length < size ? length : size); /* a text that fills the field has no NUL */
}

/* Whether another call comes while this one is inside; a call that is refused has come. */
static int met(int milliseconds) {
    int place = __sync_add_and_fetch(&arrivals, 1);
    for (int waited = 0; waited <= milliseconds; waited++) {
        if (place % 2 == 0 || arrivals > place) return 1;
        if (refusals != refusals_before) break;
        usleep(1000);
    }
    __sync_sub_and_fetch(&arrivals, 1);
    return refusals != refusals_before;
}

static int faulty(const File *file, const char *function) {
    for (int k = 0; k < file->faults; k++) {
        const Fault *fault = &file->fault[k];
        if (strcmp(fault->function, function)) continue;
        if (!strcmp(fault->what, "crash")) abort();
        if (!strcmp(fault->what, "exit")) _exit(fault->code);
        if (!strcmp(fault->what, "hang")) for (;;) sleep(1);
        if (!strcmp(fault->what, "slow")) {
            usleep(1000 * (useconds_t)fault->code);
            continue;
        }
        if (!strcmp(fault->what, "meet")) {
            if (!met(fault->code)) return fail(NOBODY, "no other call came");
            continue;
        }
        if (!strcmp(fault->what, "noise")) {
            for (int line = 0; line < 20000; line++) {
                puts("the library says this to its user");
                fputs("the library complains\n", stderr);
            }
            fflush(stdout);
            continue;
        }
        return fail(fault->code, "as ordered");
    }
    return OK;
}

#ifdef MULTITHREADED
#define ALONE(code) return (code)
#else
#define ALONE(code) do { int answer = (code); inside = 0; return answer; } while (0)
#endif

static int entered(void) {
#ifndef MULTITHREADED
    int before = refusals;
    if (__sync_lock_test_and_set(&inside, 1)) {
        __sync_add_and_fetch(&refusals, 1);
        return fail(LIBERROR, "two calls at once");
    }
    refusals_before = before;
    for (volatile int spin = 0; spin < 200; spin++) {}
#endif
    return OK;
}

static File *opened(uint32_t handle) {
    return handle >= 1 && handle <= FILES && files[handle - 1].is_open ? &files[handle - 1] : NULL;
}

/* Everything that can be wrong before a function does its work. */
static int refused(uint32_t handle, const char *function, uint32_t entity, uint32_t type, File **file) {
    *file = opened(handle);
    if (*file == NULL) return fail(BADFILE, "no such file is open");
    int ordered = faulty(*file, function);
    if (ordered) return ordered;
    if (type == 0) return OK;
    if (entity >= ENTITIES || (type != 99 && TYPES[entity] != type)) return fail(BADENTITY, "no such entity");
    return OK;
}

#define BEGIN(function, type)                                                  \
    File *file;                                                                \
    int bad = entered();                                                       \
    if (bad) return bad;                                                       \
    bad = refused(handle, function, entity, type, &file);                      \
    if (bad) ALONE(bad)
#define SIZED(kind)                                                            \
    if (size != sizeof(kind)) ALONE(fail(LIBERROR, "size of the structure"));  \
    memset(info, 0, size)

#if defined CRASH_AT_LOAD || defined HANG_AT_LOAD
__attribute__((constructor)) static void at_load(void) {
#ifdef CRASH_AT_LOAD
    abort();
#endif
    for (;;) sleep(1);
}
#endif

int32_t ns_GetLibraryInfo(LibraryInfo *info, uint32_t size) {
#ifdef NO_INFO
    return fail(LIBERROR, "nothing to tell");
#endif
    if (size != sizeof *info) return fail(LIBERROR, "size of the structure");
    memset(info, 0, size);
    info->major = 2; info->minor = 7; info->api_major = 1; info->api_minor = 3;
    text(info->description, 64, "Library for tests");
    text(info->creator, 64, "ephyrus");
    info->year = 2011; info->month = 12; info->day = 31;
#ifdef MULTITHREADED
    info->flags = 0x11;
#else
    info->flags = 0x01;
#endif
#ifdef REVISION_1_0
    info->api_minor = 0;
    info->month = 11;
#endif
    info->max_files = FILES;
    info->count = 1;
    text(info->types[0].description, 32, "Test recordings");
    text(info->types[0].extension, 8, "nst");
    text(info->types[0].magic, 16, "NSTEST");
    return OK;
}

int32_t ns_OpenFile(const char *name, uint32_t *handle) {
    char line[128], what[16], function[64];
    *handle = 0;
    FILE *stream = fopen(name, "r");
    if (stream == NULL) return fail(FILEERROR, "the file cannot be opened");
    if (!fgets(line, sizeof line, stream) || strncmp(line, "NSTEST", 6)) {
        fclose(stream);
        return fail(TYPEERROR, "not a test recording");
    }
    int place = 0;
    while (place < FILES && files[place].is_open) place++;
    if (place == FILES) {
        fclose(stream);
        return fail(FILEERROR, "too many files");
    }
    File *file = &files[place];
    memset(file, 0, sizeof *file);
    file->large = 100;
    while (fgets(line, sizeof line, stream)) {
        int code = 0;
        if (sscanf(line, "%15s %63s %d", what, function, &code) < 2) continue;
        if (!strcmp(what, "large")) file->large = (uint32_t)strtoul(function, NULL, 10);
        else if (!strcmp(what, "lie")) {
            static const char *LIES[] = {"times", "counts", "continuous", "samples", "lengths", "used", "pointers"};
            for (int k = 0; k < 7; k++) file->lies |= !strcmp(function, LIES[k]) << k;
        } else if (file->faults < FAULTS) {
            Fault *fault = &file->fault[file->faults++];
            snprintf(fault->what, sizeof fault->what, "%.7s", what);
            snprintf(fault->function, sizeof fault->function, "%.31s", function);
            fault->code = code;
        }
    }
    fclose(stream);
    int ordered = faulty(file, "ns_OpenFile");
    if (ordered) return ordered;
    file->is_open = 1;
    *handle = (uint32_t)place + 1;
    return OK;
}

int32_t ns_CloseFile(uint32_t handle) {
    File *file = opened(handle);
    if (file == NULL) return fail(BADFILE, "no such file is open");
    file->is_open = 0;
    return OK;
}

int32_t ns_GetFileInfo(uint32_t handle, FileInfo *info, uint32_t size) {
    uint32_t entity = 0;
    BEGIN("ns_GetFileInfo", 0);
    SIZED(FileInfo);
    text(info->type, 32, "test recording");
    info->entities = ENTITIES;
    info->resolution = 1.0 / 30000;
    info->span = 12.5;
    text(info->application, 64, "ephyrus tests");
    info->year = 2019; info->month = 2; info->day = 28;
#ifdef REVISION_1_0
    info->month = 1;
#endif
    info->hour = 23; info->minute = 59; info->second = 58; info->millisecond = 1000;
    text(info->comment, 256, "Messung \xe4 - no UTF-8");
    ALONE(OK);
}

int32_t ns_GetEntityInfo(uint32_t handle, uint32_t entity, EntityInfo *info, uint32_t size) {
    BEGIN("ns_GetEntityInfo", 99);
    SIZED(EntityInfo);
    text(info->label, 32, LABELS[entity]);
    info->type = TYPES[entity];
    info->items = items(file, entity) * (file->lies & LIE_COUNTS ? 2 : 1);
    ALONE(OK);
}

int32_t ns_GetEventInfo(uint32_t handle, uint32_t entity, EventInfo *info, uint32_t size) {
    static const uint32_t least[ENTITIES] = {0, 5, 1, 4, 4, 0, 0, 0, 0, 2};
    static const uint32_t most[ENTITIES] = {6, 5, 1, 4, 4, 0, 0, 0, 0, 2};
    BEGIN("ns_GetEventInfo", EVENT);
    SIZED(EventInfo);
    info->type = EVENT_KINDS[entity];
    info->least = least[entity];
    info->most = most[entity];
    if (entity == 1) text(info->csv, 128, "x,y");
    ALONE(OK);
}

int32_t ns_GetEventData(uint32_t handle, uint32_t entity, uint32_t index, double *time, void *data, uint32_t size, uint32_t *used) {
    char item[16];
    uint32_t length = 0;
    BEGIN("ns_GetEventData", EVENT);
    if (index >= items(file, entity)) ALONE(fail(BADINDEX, "no such item"));
    if (entity == 0) {
        length = (uint32_t)strlen(TEXTS[index]);
        memcpy(item, TEXTS[index], length); /* no NUL */
    } else if (entity == 1) {
        length = (uint32_t)snprintf(item, sizeof item, "%u,%u", index, 100 + index) + 1;
    } else if (entity == 2) {
        item[0] = (char)(250 + index);
        length = 1;
    } else if (entity == 3) {
        uint16_t words[2] = {(uint16_t)(65533 + index), (uint16_t)(7 * index)};
        memcpy(item, words, length = 4);
    } else {
        uint32_t word = 4294967294u + index;
        memcpy(item, &word, length = 4);
    }
    if (time != NULL) *time = event_time(entity, index);
    if (used != NULL) *used = file->lies & LIE_USED ? 4294967280u : length;
    if (entity == 0 && index == 0 && file->lies & LIE_LENGTHS) {
        if (used != NULL) *used = length + 6000;
        if (size < length + 6000) { *(char *)data = '?'; ALONE(OK); }
        memcpy(data, item, length);
        memset((char *)data + length, '.', 6000);
        ALONE(OK);
    }
    if (data != NULL) memcpy(data, item, length < size ? length : size > 0);
    ALONE(OK);
}

static void place_and_filters(double *place, double *high, uint32_t *high_order, char *high_type, double *low, uint32_t *low_order, char *low_type, char *probe) {
    for (int k = 0; k < 4; k++) place[k] = 0.001 * (k + 1);
    *high = 5000; *high_order = 4;
    *low = 1; *low_order = 2;
    text(high_type, 16, "Butterworth");
    text(low_type, 16, "sixteen letters!");
    text(probe, 128, "probe \xe9");
}

int32_t ns_GetAnalogInfo(uint32_t handle, uint32_t entity, AnalogInfo *info, uint32_t size) {
    BEGIN("ns_GetAnalogInfo", ANALOG);
    SIZED(AnalogInfo);
    info->rate = entity == 5 ? 1000 : 30000;
    info->least = -100; info->greatest = 1000;
    text(info->units, 16, "uV");
    info->resolution = 0.5;
    place_and_filters(&info->x, &info->high, &info->high_order, info->high_type, &info->low, &info->low_order, info->low_type, info->probe);
    ALONE(OK);
}

static double analog_value(uint32_t index) { return index % 4096 * 0.5 - 100; }

int32_t ns_GetAnalogData(uint32_t handle, uint32_t entity, uint32_t start, uint32_t count, uint32_t *continuous, double *data) {
    BEGIN("ns_GetAnalogData", ANALOG);
    uint32_t length = items(file, entity);
    if (start > length || count > length - start) ALONE(fail(BADINDEX, "samples past the end"));
    if (data == NULL && file->lies & LIE_POINTERS) ALONE(fail(LIBERROR, "no place for the samples"));
    uint32_t together = count, end = 0;
    for (int run = 0; entity == 5 && run < RUNS; run++) {
        end += RUN_COUNTS[run];
        if (start < end) {
            together = count < end - start ? count : end - start;
            break;
        }
    }
    if (continuous != NULL) *continuous = file->lies & LIE_CONTINUOUS ? count + 5 : together;
    for (uint32_t k = 0; data != NULL && k < count; k++) data[k] = analog_value(start + k);
    ALONE(OK);
}

int32_t ns_GetSegmentInfo(uint32_t handle, uint32_t entity, SegmentInfo *info, uint32_t size) {
    BEGIN("ns_GetSegmentInfo", SEGMENT);
    SIZED(SegmentInfo);
    info->sources = entity == 7 ? 3 : 1;
    info->least = entity == 7 ? 5 : 32;
    info->most = entity == 7 ? 20 : 32;
    info->rate = 30000;
    text(info->units, 32, "mV");
    ALONE(OK);
}

int32_t ns_GetSegmentSourceInfo(uint32_t handle, uint32_t entity, uint32_t source, SourceInfo *info, uint32_t size) {
    BEGIN("ns_GetSegmentSourceInfo", SEGMENT);
    if (source >= (entity == 7 ? 3u : 1u)) ALONE(fail(BADSOURCE, "no such source"));
    SIZED(SourceInfo);
    info->least = -1; info->greatest = 1;
    info->resolution = 0.001 * (source + 1);
    info->shift = 1e-6 * source;
    place_and_filters(&info->x, &info->high, &info->high_order, info->high_type, &info->low, &info->low_order, info->low_type, info->probe);
    ALONE(OK);
}

int32_t ns_GetSegmentData(uint32_t handle, uint32_t entity, int32_t index, double *time, double *data, uint32_t size, uint32_t *samples, uint32_t *unit) {
    static const uint32_t units[6] = {0, 1, 2, 4, 2, 0};
    BEGIN("ns_GetSegmentData", SEGMENT);
    if (index < 0 || (uint32_t)index >= items(file, entity)) ALONE(fail(BADINDEX, "no such item"));
    uint32_t most = entity == 7 ? 20 : 32, sources = entity == 7 ? 3 : 1;
    uint32_t count = entity == 7 ? 5 + 3 * (uint32_t)index : 32;
    if (size < sizeof(double) * most * sources) ALONE(fail(LIBERROR, "the buffer is too small"));
    if (time != NULL) *time = item_time(file, entity, (uint32_t)index);
    for (uint32_t source = 0; data != NULL && source < sources; source++)
        for (uint32_t k = 0; k < count; k++)
#ifdef REVISION_1_0
            data[k * sources + source] = index + 0.01 * k + 100 * source;
#else
            data[source * most + k] = index + 0.01 * k + 100 * source;
#endif
    if (samples != NULL) *samples = file->lies & LIE_SAMPLES ? most + 7 : count;
    if (unit != NULL) *unit = entity == 7 ? units[index] : (uint32_t)index % 3;
    ALONE(OK);
}

int32_t ns_GetNeuralInfo(uint32_t handle, uint32_t entity, NeuralInfo *info, uint32_t size) {
    BEGIN("ns_GetNeuralInfo", NEURAL);
    SIZED(NeuralInfo);
    info->source = 7;
    info->unit = 2;
    text(info->probe, 128, "tetrode");
    ALONE(OK);
}

#ifndef NO_NEURAL
int32_t ns_GetNeuralData(uint32_t handle, uint32_t entity, uint32_t start, uint32_t count, double *times) {
    BEGIN("ns_GetNeuralData", NEURAL);
    uint32_t length = items(file, entity);
    if (start > length || count > length - start) ALONE(fail(BADINDEX, "spikes past the end"));
    for (uint32_t k = 0; times != NULL && k < count; k++) times[k] = item_time(file, entity, start + k);
    ALONE(OK);
}
#endif

int32_t ns_GetTimeByIndex(uint32_t handle, uint32_t entity, uint32_t index, double *time) {
    BEGIN("ns_GetTimeByIndex", 99);
    if (index >= items(file, entity)) ALONE(fail(BADINDEX, "no such item"));
    *time = item_time(file, entity, index);
    ALONE(OK);
}

int32_t ns_GetIndexByTime(uint32_t handle, uint32_t entity, double time, int32_t flag, uint32_t *index) {
    BEGIN("ns_GetIndexByTime", 99);
    uint32_t length = items(file, entity), after = 0;
    if (length == 0) ALONE(fail(BADINDEX, "there are no items"));
    while (after < length && item_time(file, entity, after) < time) after++;
    int is_there = after < length && item_time(file, entity, after) == time;
    if (file->lies & LIE_TIMES && flag > 0 && !is_there) ALONE(fail(BADINDEX, "none, says a library that is wrong"));
    if (file->lies & LIE_TIMES && TYPES[entity] == SEGMENT) { *index = 5001; ALONE(OK); }
    if (file->lies & LIE_TIMES && flag > 0 && after == length - 1) { *index = length; ALONE(OK); }
    if (flag > 0 || is_there) *index = after;
    else if (flag < 0) *index = after - 1;
    else if (after == 0) *index = 0;
    else if (after == length) *index = length - 1;
    else *index = item_time(file, entity, after) - time < time - item_time(file, entity, after - 1) ? after : after - 1;
    if (*index >= length) ALONE(fail(BADINDEX, "there is no such item"));
    ALONE(OK);
}

#ifndef NO_LAST_ERROR
int32_t ns_GetLastErrorMsg(char *buffer, uint32_t size) {
    if (size == 0) return LIBERROR;
#if defined LONG_MESSAGE
    memset(buffer, 'x', size);
#elif defined EMPTY_MESSAGE
    buffer[0] = 0;
#else
    snprintf(buffer, size, "%s", last_error);
#endif
    return OK;
}
#endif
