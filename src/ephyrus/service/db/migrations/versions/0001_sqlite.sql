CREATE TABLE analogsignal_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	sampling_rate DOUBLE,
	sampling_rate__units TEXT,
	sampling_rate__is_int BOOLEAN,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	signal__units TEXT,
	segment_id INTEGER,
	recordingchannel_id INTEGER,
	analogsignalarray_id INTEGER,
	signal_id INTEGER,
	CONSTRAINT pk_analogsignal_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_analogsignal_version_analogsignalarray_id_starts_at ON analogsignal_version (analogsignalarray_id, starts_at);
CREATE INDEX ix_analogsignal_version_id_starts_at ON analogsignal_version (id, starts_at);
CREATE INDEX ix_analogsignal_version_recordingchannel_id_starts_at ON analogsignal_version (recordingchannel_id, starts_at);
CREATE INDEX ix_analogsignal_version_segment_id_starts_at ON analogsignal_version (segment_id, starts_at);
CREATE TABLE analogsignalarray_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	sampling_rate DOUBLE,
	sampling_rate__units TEXT,
	sampling_rate__is_int BOOLEAN,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	signal__units TEXT,
	segment_id INTEGER,
	recordingchannelgroup_id INTEGER,
	signal_id INTEGER,
	CONSTRAINT pk_analogsignalarray_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_analogsignalarray_version_id_starts_at ON analogsignalarray_version (id, starts_at);
CREATE INDEX ix_analogsignalarray_version_recordingchannelgroup_id_starts_at ON analogsignalarray_version (recordingchannelgroup_id, starts_at);
CREATE INDEX ix_analogsignalarray_version_segment_id_starts_at ON analogsignalarray_version (segment_id, starts_at);
CREATE TABLE block_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	filedatetime DATETIME,
	"index" INTEGER,
	section_id INTEGER,
	CONSTRAINT pk_block_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_block_version_id_starts_at ON block_version (id, starts_at);
CREATE INDEX ix_block_version_section_id_starts_at ON block_version (section_id, starts_at);
CREATE TABLE change (
	id INTEGER NOT NULL,
	counter INTEGER NOT NULL,
	last_at INTEGER NOT NULL,
	CONSTRAINT pk_change PRIMARY KEY (id)
);
CREATE TABLE datafile_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	caption TEXT,
	caption__folded TEXT,
	tags TEXT,
	tags__folded TEXT,
	section_id INTEGER,
	CONSTRAINT pk_datafile_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_datafile_version_id_starts_at ON datafile_version (id, starts_at);
CREATE INDEX ix_datafile_version_section_id_starts_at ON datafile_version (section_id, starts_at);
CREATE TABLE discarded (
	"key" TEXT NOT NULL,
	since DATETIME NOT NULL,
	CONSTRAINT pk_discarded PRIMARY KEY ("key")
);
CREATE INDEX ix_discarded_since ON discarded (since);
CREATE TABLE document_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	author TEXT,
	author__folded TEXT,
	date DATETIME,
	version TEXT,
	version__folded TEXT,
	repository TEXT,
	repository__folded TEXT,
	CONSTRAINT pk_document_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_document_version_id_starts_at ON document_version (id, starts_at);
CREATE TABLE epoch_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	label TEXT,
	label__folded TEXT,
	time DOUBLE,
	time__units TEXT,
	time__is_int BOOLEAN,
	duration DOUBLE,
	duration__units TEXT,
	duration__is_int BOOLEAN,
	segment_id INTEGER,
	epocharray_id INTEGER,
	CONSTRAINT pk_epoch_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_epoch_version_epocharray_id_starts_at ON epoch_version (epocharray_id, starts_at);
CREATE INDEX ix_epoch_version_id_starts_at ON epoch_version (id, starts_at);
CREATE INDEX ix_epoch_version_segment_id_starts_at ON epoch_version (segment_id, starts_at);
CREATE TABLE epocharray_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	labels__units TEXT,
	times__units TEXT,
	durations__units TEXT,
	segment_id INTEGER,
	labels_id INTEGER,
	times_id INTEGER,
	durations_id INTEGER,
	CONSTRAINT pk_epocharray_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_epocharray_version_id_starts_at ON epocharray_version (id, starts_at);
CREATE INDEX ix_epocharray_version_segment_id_starts_at ON epocharray_version (segment_id, starts_at);
CREATE TABLE event_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	label TEXT,
	label__folded TEXT,
	time DOUBLE,
	time__units TEXT,
	time__is_int BOOLEAN,
	segment_id INTEGER,
	eventarray_id INTEGER,
	CONSTRAINT pk_event_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_event_version_eventarray_id_starts_at ON event_version (eventarray_id, starts_at);
CREATE INDEX ix_event_version_id_starts_at ON event_version (id, starts_at);
CREATE INDEX ix_event_version_segment_id_starts_at ON event_version (segment_id, starts_at);
CREATE TABLE eventarray_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	labels__units TEXT,
	times__units TEXT,
	segment_id INTEGER,
	labels_id INTEGER,
	times_id INTEGER,
	CONSTRAINT pk_eventarray_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_eventarray_version_id_starts_at ON eventarray_version (id, starts_at);
CREATE INDEX ix_eventarray_version_segment_id_starts_at ON eventarray_version (segment_id, starts_at);
CREATE TABLE "group" (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	is_link BOOLEAN NOT NULL,
	created DATETIME NOT NULL,
	CONSTRAINT pk_group PRIMARY KEY (id),
	CONSTRAINT uq_group_name UNIQUE (name)
);
CREATE TABLE irsaanalogsignal_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	signal__units TEXT,
	times__units TEXT,
	segment_id INTEGER,
	recordingchannel_id INTEGER,
	signal_id INTEGER,
	times_id INTEGER,
	CONSTRAINT pk_irsaanalogsignal_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_irsaanalogsignal_version_id_starts_at ON irsaanalogsignal_version (id, starts_at);
CREATE INDEX ix_irsaanalogsignal_version_recordingchannel_id_starts_at ON irsaanalogsignal_version (recordingchannel_id, starts_at);
CREATE INDEX ix_irsaanalogsignal_version_segment_id_starts_at ON irsaanalogsignal_version (segment_id, starts_at);
CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	kind TEXT NOT NULL,
	payload JSON NOT NULL,
	state TEXT NOT NULL,
	attempts INTEGER DEFAULT '0' NOT NULL,
	run_after DATETIME NOT NULL,
	started_at DATETIME,
	heartbeat_at DATETIME,
	worker TEXT,
	message TEXT,
	user_id INTEGER,
	result JSON
);
CREATE INDEX ix_job_state_run_after ON job (state, run_after);
CREATE TABLE login_attempt (
	"key" VARCHAR(64) NOT NULL,
	kind VARCHAR(8) NOT NULL,
	subject VARCHAR(64) NOT NULL,
	until DOUBLE NOT NULL,
	CONSTRAINT pk_login_attempt PRIMARY KEY ("key")
);
CREATE INDEX ix_login_attempt_subject ON login_attempt (subject);
CREATE INDEX ix_login_attempt_until ON login_attempt (until);
CREATE TABLE meta (
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
CREATE TABLE oidc_login (
	digest VARCHAR(64) NOT NULL,
	browser VARCHAR(64) NOT NULL,
	nonce VARCHAR(64) NOT NULL,
	verifier VARCHAR(128) NOT NULL,
	redirect_uri VARCHAR(2000) NOT NULL,
	next VARCHAR(2000) NOT NULL,
	expires DATETIME NOT NULL,
	CONSTRAINT pk_oidc_login PRIMARY KEY (digest)
);
CREATE INDEX ix_oidc_login_expires ON oidc_login (expires);
CREATE TABLE property_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	definition TEXT,
	definition__folded TEXT,
	dependency TEXT,
	dependency__folded TEXT,
	dependency_value TEXT,
	dependency_value__folded TEXT,
	mapping TEXT,
	mapping__folded TEXT,
	unit TEXT,
	unit__folded TEXT,
	dtype TEXT,
	dtype__folded TEXT,
	uncertainty TEXT,
	uncertainty__folded TEXT,
	comment TEXT,
	comment__folded TEXT,
	section_id INTEGER,
	CONSTRAINT pk_property_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_property_version_id_starts_at ON property_version (id, starts_at);
CREATE INDEX ix_property_version_section_id_starts_at ON property_version (section_id, starts_at);
CREATE TABLE recording (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	path TEXT NOT NULL,
	format TEXT,
	options JSON,
	size INTEGER,
	modified_ns INTEGER,
	state TEXT NOT NULL,
	message TEXT,
	root TEXT,
	block_ids JSON,
	files JSON
);
CREATE INDEX ix_recording_path ON recording (path);
CREATE INDEX ix_recording_root ON recording (root);
CREATE TABLE recordingchannel_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	"index" INTEGER,
	CONSTRAINT pk_recordingchannel_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_recordingchannel_version_id_starts_at ON recordingchannel_version (id, starts_at);
CREATE TABLE recordingchannelgroup_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	block_id INTEGER,
	CONSTRAINT pk_recordingchannelgroup_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_recordingchannelgroup_version_block_id_starts_at ON recordingchannelgroup_version (block_id, starts_at);
CREATE INDEX ix_recordingchannelgroup_version_id_starts_at ON recordingchannelgroup_version (id, starts_at);
CREATE TABLE section_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	odml_type TEXT,
	odml_type__folded TEXT,
	odml_type__is_int BOOLEAN,
	tree_position INTEGER,
	is_template BOOLEAN,
	user_custom TEXT,
	user_custom__folded TEXT,
	type TEXT,
	type__folded TEXT,
	reference TEXT,
	reference__folded TEXT,
	definition TEXT,
	definition__folded TEXT,
	link TEXT,
	link__folded TEXT,
	include TEXT,
	include__folded TEXT,
	repository TEXT,
	repository__folded TEXT,
	mapping TEXT,
	mapping__folded TEXT,
	parent_section_id INTEGER,
	document_id INTEGER,
	CONSTRAINT pk_section_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_section_version_document_id_starts_at ON section_version (document_id, starts_at);
CREATE INDEX ix_section_version_id_starts_at ON section_version (id, starts_at);
CREATE INDEX ix_section_version_parent_section_id_starts_at ON section_version (parent_section_id, starts_at);
CREATE TABLE segment_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	filedatetime DATETIME,
	"index" INTEGER,
	block_id INTEGER,
	CONSTRAINT pk_segment_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_segment_version_block_id_starts_at ON segment_version (block_id, starts_at);
CREATE INDEX ix_segment_version_id_starts_at ON segment_version (id, starts_at);
CREATE TABLE share (
	id INTEGER NOT NULL,
	type TEXT NOT NULL,
	object_id INTEGER NOT NULL,
	user_id INTEGER,
	group_id INTEGER,
	level SMALLINT NOT NULL,
	CONSTRAINT pk_share PRIMARY KEY (id),
	CONSTRAINT uq_share_type_object_id_user_id UNIQUE (type, object_id, user_id),
	CONSTRAINT uq_share_type_object_id_group_id UNIQUE (type, object_id, group_id)
);
CREATE INDEX ix_share_group_id_type_object_id ON share (group_id, type, object_id);
CREATE INDEX ix_share_user_id_type_object_id ON share (user_id, type, object_id);
CREATE TABLE spike_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	time DOUBLE,
	time__units TEXT,
	time__is_int BOOLEAN,
	sampling_rate DOUBLE,
	sampling_rate__units TEXT,
	sampling_rate__is_int BOOLEAN,
	left_sweep DOUBLE,
	left_sweep__units TEXT,
	left_sweep__is_int BOOLEAN,
	waveform__units TEXT,
	segment_id INTEGER,
	unit_id INTEGER,
	waveform_id INTEGER,
	CONSTRAINT pk_spike_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_spike_version_id_starts_at ON spike_version (id, starts_at);
CREATE INDEX ix_spike_version_segment_id_starts_at ON spike_version (segment_id, starts_at);
CREATE INDEX ix_spike_version_unit_id_starts_at ON spike_version (unit_id, starts_at);
CREATE TABLE spiketrain_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	t_stop DOUBLE,
	t_stop__units TEXT,
	t_stop__is_int BOOLEAN,
	times__units TEXT,
	waveforms__units TEXT,
	segment_id INTEGER,
	unit_id INTEGER,
	times_id INTEGER,
	waveforms_id INTEGER,
	CONSTRAINT pk_spiketrain_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_spiketrain_version_id_starts_at ON spiketrain_version (id, starts_at);
CREATE INDEX ix_spiketrain_version_segment_id_starts_at ON spiketrain_version (segment_id, starts_at);
CREATE INDEX ix_spiketrain_version_unit_id_starts_at ON spiketrain_version (unit_id, starts_at);
CREATE TABLE unit_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	recordingchannelgroup_id INTEGER,
	CONSTRAINT pk_unit_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_unit_version_id_starts_at ON unit_version (id, starts_at);
CREATE INDEX ix_unit_version_recordingchannelgroup_id_starts_at ON unit_version (recordingchannelgroup_id, starts_at);
CREATE TABLE user (
	id INTEGER NOT NULL,
	name TEXT NOT NULL,
	full_name TEXT NOT NULL,
	email TEXT NOT NULL,
	password VARCHAR(200),
	is_admin BOOLEAN NOT NULL,
	is_active BOOLEAN NOT NULL,
	created DATETIME NOT NULL,
	CONSTRAINT pk_user PRIMARY KEY (id),
	CONSTRAINT uq_user_name UNIQUE (name)
);
CREATE TABLE value_version (
	version_id INTEGER NOT NULL,
	id INTEGER NOT NULL,
	guid TEXT NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	user_id INTEGER,
	changed JSON NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	data TEXT,
	data__folded TEXT,
	uncertainty TEXT,
	uncertainty__folded TEXT,
	unit TEXT,
	unit__folded TEXT,
	reference TEXT,
	reference__folded TEXT,
	definition TEXT,
	definition__folded TEXT,
	filename TEXT,
	filename__folded TEXT,
	encoder TEXT,
	encoder__folded TEXT,
	checksum TEXT,
	checksum__folded TEXT,
	parent_property_id INTEGER,
	CONSTRAINT pk_value_version PRIMARY KEY (version_id)
);
CREATE INDEX ix_value_version_id_starts_at ON value_version (id, starts_at);
CREATE INDEX ix_value_version_parent_property_id_starts_at ON value_version (parent_property_id, starts_at);
CREATE TABLE document (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	author TEXT,
	author__folded TEXT,
	date DATETIME,
	version TEXT,
	version__folded TEXT,
	repository TEXT,
	repository__folded TEXT,
	CONSTRAINT fk_document_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id)
);
CREATE INDEX ix_document_guid ON document (guid);
CREATE INDEX ix_document_last_modified_id ON document (last_modified, id);
CREATE INDEX ix_document_owner_id ON document (owner_id);
CREATE INDEX ix_document_recording_id ON document (recording_id);
CREATE TABLE friendship (
	user_id INTEGER NOT NULL,
	friend_id INTEGER NOT NULL,
	accepted BOOLEAN NOT NULL,
	created DATETIME NOT NULL,
	CONSTRAINT pk_friendship PRIMARY KEY (user_id, friend_id),
	CONSTRAINT fk_friendship_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE,
	CONSTRAINT fk_friendship_friend_id FOREIGN KEY(friend_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE INDEX ix_friendship_friend_id ON friendship (friend_id);
CREATE TABLE group_member (
	group_id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	CONSTRAINT pk_group_member PRIMARY KEY (group_id, user_id),
	CONSTRAINT fk_group_member_group_id FOREIGN KEY(group_id) REFERENCES "group" (id) ON DELETE CASCADE,
	CONSTRAINT fk_group_member_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE INDEX ix_group_member_user_id ON group_member (user_id);
CREATE TABLE identity (
	id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	issuer VARCHAR(500) NOT NULL,
	subject VARCHAR(255) NOT NULL,
	created DATETIME NOT NULL,
	CONSTRAINT pk_identity PRIMARY KEY (id),
	CONSTRAINT uq_identity_issuer_subject UNIQUE (issuer, subject),
	CONSTRAINT fk_identity_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE INDEX ix_identity_user_id ON identity (user_id);
CREATE TABLE recordingchannel (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	"index" INTEGER,
	CONSTRAINT fk_recordingchannel_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id)
);
CREATE INDEX ix_recordingchannel_guid ON recordingchannel (guid);
CREATE INDEX ix_recordingchannel_last_modified_id ON recordingchannel (last_modified, id);
CREATE INDEX ix_recordingchannel_name_id ON recordingchannel (name, id);
CREATE INDEX ix_recordingchannel_owner_id ON recordingchannel (owner_id);
CREATE INDEX ix_recordingchannel_recording_id ON recordingchannel (recording_id);
CREATE TABLE selection (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	owner_id INTEGER NOT NULL,
	type TEXT NOT NULL,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	"query" TEXT NOT NULL,
	safety_level SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	CONSTRAINT uq_selection_owner_id_name UNIQUE (owner_id, name),
	CONSTRAINT fk_selection_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE TABLE share_link (
	id INTEGER NOT NULL,
	digest VARCHAR(64) NOT NULL,
	user_id INTEGER NOT NULL,
	group_id INTEGER NOT NULL,
	type TEXT NOT NULL,
	object_id INTEGER NOT NULL,
	name TEXT NOT NULL,
	created DATETIME NOT NULL,
	expires DATETIME NOT NULL,
	CONSTRAINT pk_share_link PRIMARY KEY (id),
	CONSTRAINT uq_share_link_digest UNIQUE (digest),
	CONSTRAINT fk_share_link_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE,
	CONSTRAINT uq_share_link_group_id UNIQUE (group_id),
	CONSTRAINT fk_share_link_group_id FOREIGN KEY(group_id) REFERENCES "group" (id) ON DELETE CASCADE
);
CREATE INDEX ix_share_link_type_object_id ON share_link (type, object_id);
CREATE INDEX ix_share_link_user_id ON share_link (user_id);
CREATE TABLE token (
	id INTEGER NOT NULL,
	digest VARCHAR(64) NOT NULL,
	user_id INTEGER NOT NULL,
	name TEXT NOT NULL,
	prefix VARCHAR(16) NOT NULL,
	scopes VARCHAR(32) NOT NULL,
	created DATETIME NOT NULL,
	last_used DATETIME,
	expires DATETIME,
	CONSTRAINT pk_token PRIMARY KEY (id),
	CONSTRAINT uq_token_digest UNIQUE (digest),
	CONSTRAINT fk_token_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
);
CREATE INDEX ix_token_user_id ON token (user_id);
CREATE TABLE section (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	odml_type TEXT,
	odml_type__folded TEXT,
	odml_type__is_int BOOLEAN,
	tree_position INTEGER,
	is_template BOOLEAN,
	user_custom TEXT,
	user_custom__folded TEXT,
	type TEXT,
	type__folded TEXT,
	reference TEXT,
	reference__folded TEXT,
	definition TEXT,
	definition__folded TEXT,
	link TEXT,
	link__folded TEXT,
	include TEXT,
	include__folded TEXT,
	repository TEXT,
	repository__folded TEXT,
	mapping TEXT,
	mapping__folded TEXT,
	parent_section_id INTEGER,
	document_id INTEGER,
	CONSTRAINT fk_section_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_section_parent_section_id FOREIGN KEY(parent_section_id) REFERENCES section (id),
	CONSTRAINT fk_section_document_id FOREIGN KEY(document_id) REFERENCES document (id)
);
CREATE INDEX ix_section_document_id ON section (document_id);
CREATE INDEX ix_section_guid ON section (guid);
CREATE INDEX ix_section_last_modified_id ON section (last_modified, id);
CREATE INDEX ix_section_name_id ON section (name, id);
CREATE INDEX ix_section_owner_id ON section (owner_id);
CREATE INDEX ix_section_parent_section_id ON section (parent_section_id);
CREATE INDEX ix_section_recording_id ON section (recording_id);
CREATE TABLE session (
	id INTEGER NOT NULL,
	digest VARCHAR(64) NOT NULL,
	user_id INTEGER NOT NULL,
	token_id INTEGER,
	scopes VARCHAR(32) NOT NULL,
	created DATETIME NOT NULL,
	last_used DATETIME NOT NULL,
	expires DATETIME NOT NULL,
	ends DATETIME NOT NULL,
	CONSTRAINT pk_session PRIMARY KEY (id),
	CONSTRAINT uq_session_digest UNIQUE (digest),
	CONSTRAINT fk_session_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE,
	CONSTRAINT fk_session_token_id FOREIGN KEY(token_id) REFERENCES token (id) ON DELETE CASCADE
);
CREATE INDEX ix_session_expires ON session (expires);
CREATE INDEX ix_session_token_id ON session (token_id);
CREATE INDEX ix_session_user_id ON session (user_id);
CREATE TABLE block (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	filedatetime DATETIME,
	"index" INTEGER,
	section_id INTEGER,
	CONSTRAINT fk_block_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_block_section_id FOREIGN KEY(section_id) REFERENCES section (id)
);
CREATE INDEX ix_block_guid ON block (guid);
CREATE INDEX ix_block_last_modified_id ON block (last_modified, id);
CREATE INDEX ix_block_name_id ON block (name, id);
CREATE INDEX ix_block_owner_id ON block (owner_id);
CREATE INDEX ix_block_recording_id ON block (recording_id);
CREATE INDEX ix_block_section_id ON block (section_id);
CREATE TABLE datafile (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	caption TEXT,
	caption__folded TEXT,
	tags TEXT,
	tags__folded TEXT,
	section_id INTEGER,
	size INTEGER,
	mime TEXT,
	file_type SMALLINT,
	extracted_info JSON,
	operations_log JSON,
	last_task_id INTEGER,
	store_key TEXT,
	content TEXT,
	CONSTRAINT fk_datafile_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_datafile_section_id FOREIGN KEY(section_id) REFERENCES section (id)
);
CREATE INDEX ix_datafile_guid ON datafile (guid);
CREATE INDEX ix_datafile_last_modified_id ON datafile (last_modified, id);
CREATE INDEX ix_datafile_name_id ON datafile (name, id);
CREATE INDEX ix_datafile_owner_id ON datafile (owner_id);
CREATE INDEX ix_datafile_recording_id ON datafile (recording_id);
CREATE INDEX ix_datafile_section_id ON datafile (section_id);
CREATE TABLE property (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	definition TEXT,
	definition__folded TEXT,
	dependency TEXT,
	dependency__folded TEXT,
	dependency_value TEXT,
	dependency_value__folded TEXT,
	mapping TEXT,
	mapping__folded TEXT,
	unit TEXT,
	unit__folded TEXT,
	dtype TEXT,
	dtype__folded TEXT,
	uncertainty TEXT,
	uncertainty__folded TEXT,
	comment TEXT,
	comment__folded TEXT,
	section_id INTEGER,
	CONSTRAINT fk_property_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_property_section_id FOREIGN KEY(section_id) REFERENCES section (id)
);
CREATE INDEX ix_property_guid ON property (guid);
CREATE INDEX ix_property_last_modified_id ON property (last_modified, id);
CREATE INDEX ix_property_name_id ON property (name, id);
CREATE INDEX ix_property_owner_id ON property (owner_id);
CREATE INDEX ix_property_recording_id ON property (recording_id);
CREATE INDEX ix_property_section_id ON property (section_id);
CREATE TABLE array (
	datafile_id INTEGER NOT NULL,
	dtype TEXT NOT NULL,
	shape JSON NOT NULL,
	sorted BOOLEAN,
	location JSON NOT NULL,
	levels_key TEXT,
	recording_id INTEGER,
	CONSTRAINT pk_array PRIMARY KEY (datafile_id),
	CONSTRAINT fk_array_datafile_id FOREIGN KEY(datafile_id) REFERENCES datafile (id),
	CONSTRAINT fk_array_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id)
);
CREATE INDEX ix_array_recording_id ON array (recording_id);
CREATE TABLE growth (
	datafile_id INTEGER NOT NULL,
	starts_at DATETIME NOT NULL,
	length INTEGER NOT NULL,
	CONSTRAINT pk_growth PRIMARY KEY (datafile_id, starts_at),
	CONSTRAINT fk_growth_datafile_id FOREIGN KEY(datafile_id) REFERENCES datafile (id)
);
CREATE TABLE recordingchannelgroup (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	block_id INTEGER,
	CONSTRAINT fk_recordingchannelgroup_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_recordingchannelgroup_block_id FOREIGN KEY(block_id) REFERENCES block (id)
);
CREATE INDEX ix_recordingchannelgroup_block_id ON recordingchannelgroup (block_id);
CREATE INDEX ix_recordingchannelgroup_guid ON recordingchannelgroup (guid);
CREATE INDEX ix_recordingchannelgroup_last_modified_id ON recordingchannelgroup (last_modified, id);
CREATE INDEX ix_recordingchannelgroup_name_id ON recordingchannelgroup (name, id);
CREATE INDEX ix_recordingchannelgroup_owner_id ON recordingchannelgroup (owner_id);
CREATE INDEX ix_recordingchannelgroup_recording_id ON recordingchannelgroup (recording_id);
CREATE TABLE segment (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	filedatetime DATETIME,
	"index" INTEGER,
	block_id INTEGER,
	CONSTRAINT fk_segment_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_segment_block_id FOREIGN KEY(block_id) REFERENCES block (id)
);
CREATE INDEX ix_segment_block_id ON segment (block_id);
CREATE INDEX ix_segment_guid ON segment (guid);
CREATE INDEX ix_segment_last_modified_id ON segment (last_modified, id);
CREATE INDEX ix_segment_name_id ON segment (name, id);
CREATE INDEX ix_segment_owner_id ON segment (owner_id);
CREATE INDEX ix_segment_recording_id ON segment (recording_id);
CREATE TABLE value (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	data TEXT,
	data__folded TEXT,
	uncertainty TEXT,
	uncertainty__folded TEXT,
	unit TEXT,
	unit__folded TEXT,
	reference TEXT,
	reference__folded TEXT,
	definition TEXT,
	definition__folded TEXT,
	filename TEXT,
	filename__folded TEXT,
	encoder TEXT,
	encoder__folded TEXT,
	checksum TEXT,
	checksum__folded TEXT,
	parent_property_id INTEGER,
	CONSTRAINT fk_value_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_value_parent_property_id FOREIGN KEY(parent_property_id) REFERENCES property (id)
);
CREATE INDEX ix_value_guid ON value (guid);
CREATE INDEX ix_value_last_modified_id ON value (last_modified, id);
CREATE INDEX ix_value_owner_id ON value (owner_id);
CREATE INDEX ix_value_parent_property_id ON value (parent_property_id);
CREATE INDEX ix_value_recording_id ON value (recording_id);
CREATE TABLE analogsignalarray (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	sampling_rate DOUBLE,
	sampling_rate__units TEXT,
	sampling_rate__is_int BOOLEAN,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	signal__units TEXT,
	segment_id INTEGER,
	recordingchannelgroup_id INTEGER,
	signal_id INTEGER,
	CONSTRAINT fk_analogsignalarray_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_analogsignalarray_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_analogsignalarray_recordingchannelgroup_id FOREIGN KEY(recordingchannelgroup_id) REFERENCES recordingchannelgroup (id),
	CONSTRAINT fk_analogsignalarray_signal_id FOREIGN KEY(signal_id) REFERENCES datafile (id)
);
CREATE INDEX ix_analogsignalarray_guid ON analogsignalarray (guid);
CREATE INDEX ix_analogsignalarray_last_modified_id ON analogsignalarray (last_modified, id);
CREATE INDEX ix_analogsignalarray_name_id ON analogsignalarray (name, id);
CREATE INDEX ix_analogsignalarray_owner_id ON analogsignalarray (owner_id);
CREATE INDEX ix_analogsignalarray_recording_id ON analogsignalarray (recording_id);
CREATE INDEX ix_analogsignalarray_recordingchannelgroup_id ON analogsignalarray (recordingchannelgroup_id);
CREATE INDEX ix_analogsignalarray_segment_id ON analogsignalarray (segment_id);
CREATE INDEX ix_analogsignalarray_signal_id ON analogsignalarray (signal_id);
CREATE INDEX ix_analogsignalarray_t_start_id ON analogsignalarray (t_start, id);
CREATE TABLE epocharray (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	labels__units TEXT,
	times__units TEXT,
	durations__units TEXT,
	segment_id INTEGER,
	labels_id INTEGER,
	times_id INTEGER,
	durations_id INTEGER,
	CONSTRAINT fk_epocharray_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_epocharray_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_epocharray_labels_id FOREIGN KEY(labels_id) REFERENCES datafile (id),
	CONSTRAINT fk_epocharray_times_id FOREIGN KEY(times_id) REFERENCES datafile (id),
	CONSTRAINT fk_epocharray_durations_id FOREIGN KEY(durations_id) REFERENCES datafile (id)
);
CREATE INDEX ix_epocharray_durations_id ON epocharray (durations_id);
CREATE INDEX ix_epocharray_guid ON epocharray (guid);
CREATE INDEX ix_epocharray_labels_id ON epocharray (labels_id);
CREATE INDEX ix_epocharray_last_modified_id ON epocharray (last_modified, id);
CREATE INDEX ix_epocharray_name_id ON epocharray (name, id);
CREATE INDEX ix_epocharray_owner_id ON epocharray (owner_id);
CREATE INDEX ix_epocharray_recording_id ON epocharray (recording_id);
CREATE INDEX ix_epocharray_segment_id ON epocharray (segment_id);
CREATE INDEX ix_epocharray_times_id ON epocharray (times_id);
CREATE TABLE eventarray (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	labels__units TEXT,
	times__units TEXT,
	segment_id INTEGER,
	labels_id INTEGER,
	times_id INTEGER,
	CONSTRAINT fk_eventarray_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_eventarray_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_eventarray_labels_id FOREIGN KEY(labels_id) REFERENCES datafile (id),
	CONSTRAINT fk_eventarray_times_id FOREIGN KEY(times_id) REFERENCES datafile (id)
);
CREATE INDEX ix_eventarray_guid ON eventarray (guid);
CREATE INDEX ix_eventarray_labels_id ON eventarray (labels_id);
CREATE INDEX ix_eventarray_last_modified_id ON eventarray (last_modified, id);
CREATE INDEX ix_eventarray_name_id ON eventarray (name, id);
CREATE INDEX ix_eventarray_owner_id ON eventarray (owner_id);
CREATE INDEX ix_eventarray_recording_id ON eventarray (recording_id);
CREATE INDEX ix_eventarray_segment_id ON eventarray (segment_id);
CREATE INDEX ix_eventarray_times_id ON eventarray (times_id);
CREATE TABLE irsaanalogsignal (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	signal__units TEXT,
	times__units TEXT,
	segment_id INTEGER,
	recordingchannel_id INTEGER,
	signal_id INTEGER,
	times_id INTEGER,
	CONSTRAINT fk_irsaanalogsignal_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_irsaanalogsignal_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_irsaanalogsignal_recordingchannel_id FOREIGN KEY(recordingchannel_id) REFERENCES recordingchannel (id),
	CONSTRAINT fk_irsaanalogsignal_signal_id FOREIGN KEY(signal_id) REFERENCES datafile (id),
	CONSTRAINT fk_irsaanalogsignal_times_id FOREIGN KEY(times_id) REFERENCES datafile (id)
);
CREATE INDEX ix_irsaanalogsignal_guid ON irsaanalogsignal (guid);
CREATE INDEX ix_irsaanalogsignal_last_modified_id ON irsaanalogsignal (last_modified, id);
CREATE INDEX ix_irsaanalogsignal_name_id ON irsaanalogsignal (name, id);
CREATE INDEX ix_irsaanalogsignal_owner_id ON irsaanalogsignal (owner_id);
CREATE INDEX ix_irsaanalogsignal_recording_id ON irsaanalogsignal (recording_id);
CREATE INDEX ix_irsaanalogsignal_recordingchannel_id ON irsaanalogsignal (recordingchannel_id);
CREATE INDEX ix_irsaanalogsignal_segment_id ON irsaanalogsignal (segment_id);
CREATE INDEX ix_irsaanalogsignal_signal_id ON irsaanalogsignal (signal_id);
CREATE INDEX ix_irsaanalogsignal_t_start_id ON irsaanalogsignal (t_start, id);
CREATE INDEX ix_irsaanalogsignal_times_id ON irsaanalogsignal (times_id);
CREATE TABLE recordingchannel_recordingchannelgroup (
	link_id INTEGER NOT NULL,
	recordingchannel_id INTEGER NOT NULL,
	recordingchannelgroup_id INTEGER NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	CONSTRAINT pk_recordingchannel_recordingchannelgroup PRIMARY KEY (link_id),
	CONSTRAINT fk_recordingchannel_recordingchannelgroup_recordingchannel_id FOREIGN KEY(recordingchannel_id) REFERENCES recordingchannel (id),
	CONSTRAINT fk_recordingchannel_recordingchannelgroup_recordingchannelgroup_id FOREIGN KEY(recordingchannelgroup_id) REFERENCES recordingchannelgroup (id)
);
CREATE INDEX ix_recordingchannel_recordingchannelgroup_recordingchannel_id_recordingchannelgroup_id ON recordingchannel_recordingchannelgroup (recordingchannel_id, recordingchannelgroup_id);
CREATE INDEX ix_recordingchannel_recordingchannelgroup_recordingchannelgroup_id_recordingchannel_id ON recordingchannel_recordingchannelgroup (recordingchannelgroup_id, recordingchannel_id);
CREATE TABLE tagging (
	id INTEGER NOT NULL,
	value_id INTEGER NOT NULL,
	type TEXT NOT NULL,
	object_id INTEGER NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	CONSTRAINT pk_tagging PRIMARY KEY (id),
	CONSTRAINT fk_tagging_value_id FOREIGN KEY(value_id) REFERENCES value (id)
);
CREATE INDEX ix_tagging_type_object_id ON tagging (type, object_id);
CREATE INDEX ix_tagging_value_id_type_object_id ON tagging (value_id, type, object_id);
CREATE TABLE unit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	recordingchannelgroup_id INTEGER,
	CONSTRAINT fk_unit_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_unit_recordingchannelgroup_id FOREIGN KEY(recordingchannelgroup_id) REFERENCES recordingchannelgroup (id)
);
CREATE INDEX ix_unit_guid ON unit (guid);
CREATE INDEX ix_unit_last_modified_id ON unit (last_modified, id);
CREATE INDEX ix_unit_name_id ON unit (name, id);
CREATE INDEX ix_unit_owner_id ON unit (owner_id);
CREATE INDEX ix_unit_recording_id ON unit (recording_id);
CREATE INDEX ix_unit_recordingchannelgroup_id ON unit (recordingchannelgroup_id);
CREATE TABLE analogsignal (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	sampling_rate DOUBLE,
	sampling_rate__units TEXT,
	sampling_rate__is_int BOOLEAN,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	signal__units TEXT,
	segment_id INTEGER,
	recordingchannel_id INTEGER,
	analogsignalarray_id INTEGER,
	signal_id INTEGER,
	CONSTRAINT fk_analogsignal_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_analogsignal_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_analogsignal_recordingchannel_id FOREIGN KEY(recordingchannel_id) REFERENCES recordingchannel (id),
	CONSTRAINT fk_analogsignal_analogsignalarray_id FOREIGN KEY(analogsignalarray_id) REFERENCES analogsignalarray (id),
	CONSTRAINT fk_analogsignal_signal_id FOREIGN KEY(signal_id) REFERENCES datafile (id)
);
CREATE INDEX ix_analogsignal_analogsignalarray_id ON analogsignal (analogsignalarray_id);
CREATE INDEX ix_analogsignal_guid ON analogsignal (guid);
CREATE INDEX ix_analogsignal_last_modified_id ON analogsignal (last_modified, id);
CREATE INDEX ix_analogsignal_name_id ON analogsignal (name, id);
CREATE INDEX ix_analogsignal_owner_id ON analogsignal (owner_id);
CREATE INDEX ix_analogsignal_recording_id ON analogsignal (recording_id);
CREATE INDEX ix_analogsignal_recordingchannel_id ON analogsignal (recordingchannel_id);
CREATE INDEX ix_analogsignal_segment_id ON analogsignal (segment_id);
CREATE INDEX ix_analogsignal_signal_id ON analogsignal (signal_id);
CREATE INDEX ix_analogsignal_t_start_id ON analogsignal (t_start, id);
CREATE TABLE epoch (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	label TEXT,
	label__folded TEXT,
	time DOUBLE,
	time__units TEXT,
	time__is_int BOOLEAN,
	duration DOUBLE,
	duration__units TEXT,
	duration__is_int BOOLEAN,
	segment_id INTEGER,
	epocharray_id INTEGER,
	CONSTRAINT fk_epoch_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_epoch_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_epoch_epocharray_id FOREIGN KEY(epocharray_id) REFERENCES epocharray (id)
);
CREATE INDEX ix_epoch_epocharray_id ON epoch (epocharray_id);
CREATE INDEX ix_epoch_guid ON epoch (guid);
CREATE INDEX ix_epoch_last_modified_id ON epoch (last_modified, id);
CREATE INDEX ix_epoch_name_id ON epoch (name, id);
CREATE INDEX ix_epoch_owner_id ON epoch (owner_id);
CREATE INDEX ix_epoch_recording_id ON epoch (recording_id);
CREATE INDEX ix_epoch_segment_id ON epoch (segment_id);
CREATE INDEX ix_epoch_time_id ON epoch (time, id);
CREATE TABLE event (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	label TEXT,
	label__folded TEXT,
	time DOUBLE,
	time__units TEXT,
	time__is_int BOOLEAN,
	segment_id INTEGER,
	eventarray_id INTEGER,
	CONSTRAINT fk_event_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_event_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_event_eventarray_id FOREIGN KEY(eventarray_id) REFERENCES eventarray (id)
);
CREATE INDEX ix_event_eventarray_id ON event (eventarray_id);
CREATE INDEX ix_event_guid ON event (guid);
CREATE INDEX ix_event_last_modified_id ON event (last_modified, id);
CREATE INDEX ix_event_name_id ON event (name, id);
CREATE INDEX ix_event_owner_id ON event (owner_id);
CREATE INDEX ix_event_recording_id ON event (recording_id);
CREATE INDEX ix_event_segment_id ON event (segment_id);
CREATE INDEX ix_event_time_id ON event (time, id);
CREATE TABLE spike (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	time DOUBLE,
	time__units TEXT,
	time__is_int BOOLEAN,
	sampling_rate DOUBLE,
	sampling_rate__units TEXT,
	sampling_rate__is_int BOOLEAN,
	left_sweep DOUBLE,
	left_sweep__units TEXT,
	left_sweep__is_int BOOLEAN,
	waveform__units TEXT,
	segment_id INTEGER,
	unit_id INTEGER,
	waveform_id INTEGER,
	CONSTRAINT fk_spike_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_spike_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_spike_unit_id FOREIGN KEY(unit_id) REFERENCES unit (id),
	CONSTRAINT fk_spike_waveform_id FOREIGN KEY(waveform_id) REFERENCES datafile (id)
);
CREATE INDEX ix_spike_guid ON spike (guid);
CREATE INDEX ix_spike_last_modified_id ON spike (last_modified, id);
CREATE INDEX ix_spike_name_id ON spike (name, id);
CREATE INDEX ix_spike_owner_id ON spike (owner_id);
CREATE INDEX ix_spike_recording_id ON spike (recording_id);
CREATE INDEX ix_spike_segment_id ON spike (segment_id);
CREATE INDEX ix_spike_time_id ON spike (time, id);
CREATE INDEX ix_spike_unit_id ON spike (unit_id);
CREATE INDEX ix_spike_waveform_id ON spike (waveform_id);
CREATE TABLE spiketrain (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	guid TEXT DEFAULT '' NOT NULL,
	owner_id INTEGER NOT NULL,
	safety_level SMALLINT NOT NULL,
	current_state SMALLINT NOT NULL,
	date_created DATETIME NOT NULL,
	last_modified DATETIME NOT NULL,
	recording_id INTEGER,
	name TEXT,
	name__folded TEXT,
	description TEXT,
	description__folded TEXT,
	t_start DOUBLE,
	t_start__units TEXT,
	t_start__is_int BOOLEAN,
	t_stop DOUBLE,
	t_stop__units TEXT,
	t_stop__is_int BOOLEAN,
	times__units TEXT,
	waveforms__units TEXT,
	segment_id INTEGER,
	unit_id INTEGER,
	times_id INTEGER,
	waveforms_id INTEGER,
	CONSTRAINT fk_spiketrain_recording_id FOREIGN KEY(recording_id) REFERENCES recording (id),
	CONSTRAINT fk_spiketrain_segment_id FOREIGN KEY(segment_id) REFERENCES segment (id),
	CONSTRAINT fk_spiketrain_unit_id FOREIGN KEY(unit_id) REFERENCES unit (id),
	CONSTRAINT fk_spiketrain_times_id FOREIGN KEY(times_id) REFERENCES datafile (id),
	CONSTRAINT fk_spiketrain_waveforms_id FOREIGN KEY(waveforms_id) REFERENCES datafile (id)
);
CREATE INDEX ix_spiketrain_guid ON spiketrain (guid);
CREATE INDEX ix_spiketrain_last_modified_id ON spiketrain (last_modified, id);
CREATE INDEX ix_spiketrain_name_id ON spiketrain (name, id);
CREATE INDEX ix_spiketrain_owner_id ON spiketrain (owner_id);
CREATE INDEX ix_spiketrain_recording_id ON spiketrain (recording_id);
CREATE INDEX ix_spiketrain_segment_id ON spiketrain (segment_id);
CREATE INDEX ix_spiketrain_t_start_id ON spiketrain (t_start, id);
CREATE INDEX ix_spiketrain_times_id ON spiketrain (times_id);
CREATE INDEX ix_spiketrain_unit_id ON spiketrain (unit_id);
CREATE INDEX ix_spiketrain_waveforms_id ON spiketrain (waveforms_id);
CREATE TABLE unit_recordingchannel (
	link_id INTEGER NOT NULL,
	unit_id INTEGER NOT NULL,
	recordingchannel_id INTEGER NOT NULL,
	starts_at DATETIME NOT NULL,
	ends_at DATETIME,
	CONSTRAINT pk_unit_recordingchannel PRIMARY KEY (link_id),
	CONSTRAINT fk_unit_recordingchannel_unit_id FOREIGN KEY(unit_id) REFERENCES unit (id),
	CONSTRAINT fk_unit_recordingchannel_recordingchannel_id FOREIGN KEY(recordingchannel_id) REFERENCES recordingchannel (id)
);
CREATE INDEX ix_unit_recordingchannel_recordingchannel_id_unit_id ON unit_recordingchannel (recordingchannel_id, unit_id);
CREATE INDEX ix_unit_recordingchannel_unit_id_recordingchannel_id ON unit_recordingchannel (unit_id, recordingchannel_id);
INSERT INTO change (id, counter, last_at) VALUES (1, 1, 0);
