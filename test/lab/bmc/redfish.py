"""The Redfish BMC of lab hosts: sushy-tools' emulator, on machines whose power the lab's power board switches.

Usage: redfish.py CONFIG, a JSON file that test/lab/bmc/simulators.ts writes.
"""

import json
import os
import socket
import sys

import bcrypt
from sushy_tools import error
from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver

BOARD_TIMEOUT_SECONDS = 20


class LabDriver(AbstractSystemsDriver):
    """Machines as the emulator sees them: identity is the UUID, power is what the board says."""

    machines = {}
    board = ''
    refuse_what_is_done = False

    @classmethod
    def initialize(cls, config, logger, *args, **kwargs):
        return cls

    @property
    def driver(self):
        return '<lab>'

    @property
    def systems(self):
        return list(self.machines)

    def uuid(self, identity):
        if identity in self.machines:
            return identity
        raise error.NotFound('There is no system %s.' % identity)

    def name(self, identity):
        return self.machines[self.uuid(identity)]

    def get_power_state(self, identity):
        return 'On' if self._ask('status', identity) == 'on' else 'Off'

    def set_power_state(self, identity, state):
        verb = {'On': 'on', 'ForceOn': 'on', 'ForceOff': 'off'}.get(state)
        if verb is None:
            raise error.BadRequest('The lab cannot do %s.' % state)
        if self.refuse_what_is_done and self._ask('status', identity) == verb:
            raise error.Conflict('The system is %s already.' % verb)
        self._ask(verb, identity)

    def get_boot_device(self, identity):
        return 'Hdd'

    def set_boot_device(self, identity, boot_source):
        raise error.NotSupportedError('The lab boots its machines.')

    def _ask(self, verb, identity):
        with socket.socket(socket.AF_UNIX) as board:
            board.settimeout(BOARD_TIMEOUT_SECONDS)
            board.connect(self.board)
            board.sendall(('%s %s\n' % (verb, self.name(identity))).encode())
            answer = board.makefile().readline().strip()
        if answer.startswith('failed'):
            raise error.FishyError('The power board: %s' % answer)
        return answer


def run(config_path):
    with open(config_path) as file:
        config = json.load(file)
    LabDriver.machines = {machine['uuid']: machine['name'] for machine in config['machines']}
    LabDriver.board = config['board']
    LabDriver.refuse_what_is_done = config['refuseWhatIsDone']
    # The emulator knows its drivers by name. The fake one's place is the only one that asks for nothing else.
    fakedriver.FakeDriver = LabDriver

    # The emulator takes bcrypt alone. Few rounds: it hashes at every request, and guessing is not what a lab fears.
    hashed = bcrypt.hashpw(config['password'].encode(), bcrypt.gensalt(rounds=4)).decode()
    auth_file = config_path + '.auth'
    with open(os.open(auth_file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), 'w') as file:
        file.write('%s:%s\n' % (config['username'], hashed))
    main.app.configure(extra_config={
        'SUSHY_EMULATOR_FAKE_DRIVER': True,
        'SUSHY_EMULATOR_AUTH_FILE': auth_file,
        'SUSHY_EMULATOR_FEATURE_SET': 'minimum',
    })
    main.app.run(
        host=config['address'],
        port=config['port'],
        ssl_context=(config['certificate'], config['key']),
        threaded=True,
    )


run(sys.argv[1])
